"""What a name means in Ruby: constants by their nesting, open classes, mixins, instance variables, local variables."""

from collections.abc import Iterator

import pytest
from code_insight.store import Reader

from tests.server.indexed import index
from tests.server.queries.claims import Claim, claims_in, meanings

FILES: dict[str, str] = {
    "lib/shop.rb": """\
require_relative "stock/item"

module Market
  class Shop < Base
    include Painted

    attr_reader :late

    def initialize(given, crate = nil)
      @item = Item.new # Item: lib/stock/item.rb Market.Item
      @late = Stock::Crate.new # Crate: lib/stock/crate.rb Market.Stock.Crate
      @given = given
    end

    def run(other)
      helper # helper: lib/shop.rb Market.Shop.helper
      inherited(1) # inherited: lib/base.rb Market.Base.inherited
      self.inherited(1) # inherited: lib/base.rb Market.Base.inherited
      paint # paint: lib/painted.rb Market.Painted.paint
      apart # apart: lib/more/shop.rb Market.Shop.apart
      @item.price # price: lib/stock/item.rb Market.Item.price
      late.lock # lock: lib/stock/crate.rb Market.Stock.Crate.lock
      @given.price # price: unknown
      made = Item.new(1)
      made.price # price: lib/stock/item.rb Market.Item.price
      made.empty? # empty?: lib/stock/item.rb Market.Item.empty?
      other.price # price: unknown
      Item.count_all # count_all: lib/stock/item.rb Market.Item.count_all
      Market::Stock::Crate.new.lock # lock: lib/stock/crate.rb Market.Stock.Crate.lock
      Tools.cheapest # cheapest: lib/tools.rb Market.Tools.cheapest
      JSON.parse("x") # parse: outside
      [].each { |one| one.price } # price: unknown
      turned = Item.new
      turned = other
      turned.price # price: unknown
    end

    def helper
    end
  end
end
""",
    "test/test_shop.rb": """\
class TestShop < Minitest::Test
  setup do
    @page = build
    local = build
  end

  def test_it
    @page.price # price: unknown
    local.price # price: unknown
    JSON.parse # parse: outside
  end
end
""",
    "lib/late.rb": """\
module Market
  class Late < Elsewhere::Thing
    include Mixed

    def go
      weigh # weigh: lib/late.rb Mixed.weigh
    end
  end
end

module Mixed
  def weigh
  end
end

class Loop < Loop
  def turn
    turn # turn: lib/late.rb Loop.turn
  end
end
""",
    "lib/more/shop.rb": "module Market\n  class Shop\n    def apart\n    end\n  end\nend\n",
    "lib/base.rb": (
        "module Market\n  class Base\n    def inherited(x)\n    end\n\n    def paint\n    end\n\n"
        "    def helper\n    end\n  end\nend\n"
    ),
    "lib/painted.rb": "module Market\n  module Painted\n    def paint\n    end\n  end\nend\n",
    "lib/stock/item.rb": (
        "module Market\n  class Item\n    def self.count_all\n    end\n\n    def price\n    end\n\n"
        "    def empty?\n    end\n  end\nend\n"
    ),
    "lib/stock/crate.rb": "module Market::Stock\n  class Crate\n    def lock\n    end\n  end\nend\n",
    "lib/item.rb": "class Item\n  def price\n  end\nend\n",
    "lib/tools.rb": (
        "module Market\n  module Tools\n    def self.cheapest\n"
        "      helper # helper: lib/tools.rb Market.Tools.helper\n    end\n\n    def self.helper\n    end\n  end\nend\n"
    ),
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(index(tmp_path_factory.mktemp("ruby"), dict(FILES))) as opened:
        yield opened


@pytest.mark.parametrize("claim", claims_in(FILES), ids=str)
def test_what_a_name_means(reader: Reader, claim: Claim) -> None:
    assert meanings(reader, claim) == {claim.meaning}
