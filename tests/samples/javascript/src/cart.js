#!/usr/bin/env node
'use strict';

const fs = require('fs');
const { join, resolve: absolute } = require('path');
const LIMIT = 100;
let counter = 0, total = 0;

/**
 * Something that can be bought.
 */
class Item extends Base.Thing {
  static count = 0;
  #price = 1;

  constructor(name) {
    super();
    this.name = name;
  }

  get price() {
    return this.#price;
  }

  static async load(path) {
    const text = fs.readFileSync(absolute(path));
    return new Item(JSON.parse(text));
  }

  *[Symbol.iterator]() {}

  onChange = (event) => {
    notify(event);
  };
}

// Adds up.
const sum = (...numbers) => numbers.reduce((a, b) => a + b, 0);

const cart = {
  items: [],
  add(item) {
    this.items.push(item);
  },
  clear: function () {
    this.items = [];
  },
};

function* walk(tree) {
  function inner(node) {
    return node;
  }
  yield inner(tree);
}

function Shop() {}

Shop.prototype.open = function () {
  return true;
};

exports.Item = Item;
exports.describe = function (item) {
  return `${item.name}`;
};

module.exports.pay = async (amount) => {
  await gateway.charge(amount);
};

cart.items.forEach((item) => {
  const local = item;
  function visible() {}
});
