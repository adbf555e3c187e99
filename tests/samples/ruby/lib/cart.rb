#!/usr/bin/env ruby
# frozen_string_literal: true

require 'json'
require_relative 'shop/item'
autoload :Prices, 'shop/prices'

$debug = false

# Sells things.
module Shop
  VERSION = '1.0'

  # A cart.
  class Cart < Base::Store
    include Enumerable
    extend Shop::Loader

    LIMITS = { small: 1 }.freeze
    attr_accessor :items, :owner
    attr_reader 'name'

    class << self
      def open(path)
        new(JSON.parse(path))
      end
    end

    def self.empty = new([])

    def initialize(items)
      @items = items
    end

    # Adds one.
    def add!(item, count: 1, &block)
      @items << item
      notify item
      items.each { |each| each.check(count) }
    end

    def ==(other)
      items == other.items
    end

    def empty?; @items.none?; end

    alias size count
    alias_method :push, :add!
    define_method(:clear) { @items = [] }

    private def secret
      super
    end

    Line = Struct.new(:number, :count) do
      def total
        number * count
      end
    end

    class Full < StandardError; end
  end

  module_function

  def helper
    Cart.open('x')
  end
end

class Shop::Clerk
end

def main
  Shop.helper
end
