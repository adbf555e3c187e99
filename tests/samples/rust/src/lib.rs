//! A shop.

mod prices;
pub mod items;

use std::collections::{self, HashMap, hash_map::{Entry as Slot, *}};
use std::fmt;
use crate::items::Item;
extern crate serde as serialise;

/// How many things fit.
pub const LIMIT: usize = 100;
static mut COUNTER: u64 = 0;

pub type Result<T> = std::result::Result<T, Error>;

/// A cart.
///
/// With items.
#[derive(Debug, Clone)]
pub struct Cart<T> {
    /// What is in it.
    pub items: Vec<T>,
    owner: Option<String>,
}

struct Pair(u8, pub Item);

#[derive(Debug)]
pub enum Error {
    Full,
    Unknown(String),
    Invalid { code: u32 },
}

union Bits {
    whole: u32,
}

pub trait Store: Clone + fmt::Debug {
    type Key;
    const NAME: &'static str;
    fn get(&self, key: Self::Key) -> Option<Item>;
    fn size(&self) -> usize {
        0
    }
}

impl<T: Clone> Cart<T> {
    pub const EMPTY: usize = 0;

    /// Makes one.
    pub fn new(items: Vec<T>) -> Self {
        let double = |x: usize| x * 2;
        Cart { items, owner: None }
    }

    pub async fn add(&mut self, item: T) -> Result<()> {
        fn check(size: usize) -> bool {
            size < LIMIT
        }
        self.items.push(item);
        collections::HashMap::<u8, u8>::new();
        debug!("{}", describe(size));
        Err(Error::Full)
    }
}

impl<T> fmt::Display for Cart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cart")
    }
}

impl Store for elsewhere::Depot<'_> {
    type Key = u32;
}

#[macro_export]
macro_rules! cart {
    ($($x:expr),*) => { Cart::new(vec![$($x),*]) };
}

mod tests {
    #[test]
    fn adds() {
        assert!(true);
    }
}

extern "C" {
    fn external(a: u8) -> i32;
}
