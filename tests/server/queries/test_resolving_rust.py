"""What a name means in Rust: paths, `use` and globs, methods of impls and traits, fields, patterns, macros, blocks."""

from collections.abc import Iterator

import pytest
from code_insight.store import Reader

from tests.server.indexed import index
from tests.server.queries.claims import Claim, claims_in, meanings

FILES: dict[str, str] = {
    "Cargo.toml": '[package]\nname = "shop"\n',
    "src/lib.rs": """\
mod stock;
mod till;
pub mod tools;

use crate::stock::{Item, Kind as Sort};
use std::collections::HashMap;
use tools::*;

pub struct Shop<T> {
    item: Option<Item>,
    items: Vec<Item>,
    boxed: Box<dyn Sell>,
    named: HashMap<String, Item>,
    other: T,
}

pub trait Sell: Count {
    fn sell(&self) -> Item;
    fn twice(&self) {
        self.sell(); // sell: src/lib.rs Sell.sell
        self.count(); // count: src/tools.rs Count.count
    }
}

impl<T> Shop<T> {
    pub fn new(given: &Item) -> Self {
        Self::helper(); // helper: src/lib.rs Shop.helper
        given.price(); // price: src/stock.rs Item.price
        make()
    }

    fn helper() {}

    fn first(&self) -> Result<Item, String> {
        self.apart(); // apart: src/till.rs Shop.apart
        self.items[0].price(); // price: src/stock.rs Item.price
        self.boxed.sell().price(); // price: src/stock.rs Item.price
        self.other.price(); // price: unknown
        for one in self.items.iter() {
            one.price(); // price: src/stock.rs Item.price
        }
        if let Some(item) = &self.item {
            item.price(); // price: src/stock.rs Item.price
        }
        match self.find() {
            Found::One(item) => item.price(), // price: unknown
        }
        self.item.unwrap().price(); // price: src/stock.rs Item.price
        let made = Item::new();
        made.price(); // price: src/stock.rs Item.price
        made.weigh(); // weigh: src/stock.rs Item.weigh
        made.to_string(); // to_string: unknown
        let built = Item { cost: 1 };
        built.price(); // price: src/stock.rs Item.price
        self.first()?.price(); // price: src/stock.rs Item.price
        crate::tools::cheapest(); // cheapest: src/tools.rs cheapest
        stock::count_all(); // count_all: src/stock.rs count_all
        spread(); // spread: src/tools.rs spread
        price!(1); // price: unknown
        assert!(made.price() > 0); // price: unknown
        Sort::large(); // large: src/stock.rs Kind.large
        String::new(); // new: outside
        missing(); // missing: outside
        self.items.iter().map(|item| item.price()); // price: unknown
        let made: till::Till = todo!();
        made.open() // open: src/till.rs Till.open
    }
}

fn make<T>() -> Shop<T> {
    todo!()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes() {
        super::make::<u8>(); // make: src/lib.rs make
        Item::new().price(); // price: src/stock.rs Item.price
    }
}
""",
    "src/stock.rs": """\
use super::tools::cheapest;

pub struct Item {
    pub cost: u32,
}

pub enum Kind {
    Small,
}

impl Kind {
    pub fn large() -> Kind {
        cheapest(); // cheapest: src/tools.rs cheapest
        Kind::Small
    }
}

impl Item {
    pub fn new() -> Item {
        Item { cost: 1 }
    }

    pub fn price(&self) -> u32 {
        self.cost
    }
}

trait Weigh {
    fn weigh(&self);
}

impl Weigh for Item {
    fn weigh(&self) {}
}

pub fn count_all() {}
""",
    "src/till.rs": """\
use crate::Shop;

pub struct Till;

impl Till {
    pub fn open(&self) {}
}

impl<T> Shop<T> {
    pub fn apart(&self) {
        self.first(); // first: src/lib.rs Shop.first
    }
}

pub struct Other;

impl Other {
    fn price(&self) {}
}
""",
    "tests/all.rs": """\
mod common;

use common::{helped, visit as called};

fn runs() {
    helped(); // helped: tests/common/mod.rs helped
    common::visit(); // visit: tests/common/mod.rs visit
    called(); // called: tests/common/mod.rs visit
    let helped = helped(); // helped: tests/common/mod.rs helped
    assert!(helped() > 1); // helped: unknown
}
""",
    "tests/common/mod.rs": "pub fn helped() -> u32 {\n    1\n}\n\npub fn visit() {}\n",
    "src/tools.rs": "pub fn cheapest() {}\n\npub fn spread() {}\n\npub trait Count {\n    fn count(&self) {}\n}\n",
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(index(tmp_path_factory.mktemp("rust"), dict(FILES))) as opened:
        yield opened


@pytest.mark.parametrize("claim", claims_in(FILES), ids=str)
def test_what_a_name_means(reader: Reader, claim: Claim) -> None:
    assert meanings(reader, claim) == {claim.meaning}
