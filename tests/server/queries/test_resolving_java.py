"""What a name means in Java: packages, imports, members of bases and of outer classes, overloads, generics, blocks."""

from collections.abc import Iterator

import pytest
from code_insight.store import Reader

from tests.server.indexed import index
from tests.server.queries.claims import Claim, claims_in, meanings

FILES: dict[str, str] = {
    "src/main/java/org/shop/Shop.java": """\
package org.shop;

import static org.shop.util.Prices.cheapest;
import static org.shop.util.Taxes.*;
import java.util.ArrayList;
import java.util.List;
import org.shop.stock.Item;
import org.shop.till.*;

public class Shop extends Base<Item> implements Open {
  private final List<Item> items = new ArrayList<>(); // Item: src/main/java/org/shop/stock/Item.java Item
  private Till till = new Till();
  private Item name;

  Item name() {
    return name;
  }

  void run(Item given, String... words) {
    helper(); // helper: src/main/java/org/shop/Shop.java Shop.helper
    inherited(); // inherited: src/main/java/org/shop/Base.java Base.inherited
    this.inherited(); // inherited: src/main/java/org/shop/Base.java Base.inherited
    super.helper(); // helper: src/main/java/org/shop/Base.java Base.helper
    swing(1); // swing: src/main/java/org/shop/Shop.java Shop.swing
    swing(); // swing: src/main/java/org/shop/Base.java Base.swing
    first().price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    for (Item one : items) {
      one.price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    }
    for (var one : items) {
      one.price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    }
    items.get(0).price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    items.get(0); // get: unknown
    till.open(); // open: src/main/java/org/shop/till/Till.java Till.open
    new Till().open(); // open: src/main/java/org/shop/till/Till.java Till.open
    Till.make().open(); // open: src/main/java/org/shop/till/Till.java Till.open
    Till.Drawer.shut(); // shut: src/main/java/org/shop/till/Till.java Till.Drawer.shut
    cheapest(items); // cheapest: src/main/java/org/shop/util/Prices.java Prices.cheapest
    tax(1); // tax: src/main/java/org/shop/util/Taxes.java Taxes.tax
    org.shop.util.Prices all = null;
    all.list(); // list: src/main/java/org/shop/util/Prices.java Prices.list
    name().price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    name.price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    given.weigh(); // weigh: src/main/java/org/shop/stock/Thing.java Thing.weigh
    given.hashCode(); // hashCode: outside
    words.length(); // length: unknown
    String text = "x";
    text.trim(); // trim: outside
    var made = this.first();
    made.price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    Object anything = given;
    anything.price(); // price: unknown
    ((Item) anything).price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    if (anything instanceof Item found) found.price(); // price: src/main/java/org/shop/stock/Item.java Item.price
    Kind.LARGE.size(); // size: src/main/java/org/shop/Kind.java Kind.size
    Kind.valueOf("LARGE").size(); // size: src/main/java/org/shop/Kind.java Kind.size
    items.forEach(item -> item.price()); // price: unknown
    items.sort(Item::compare); // compare: src/main/java/org/shop/stock/Item.java Item.compare
    new Thread() {
      public void run() {
        mine(); // mine: src/main/java/org/shop/Shop.java Shop.run.mine
      }

      void mine() {}
    };
  }

  void helper() {}

  void swing(int times) {}

  class Part extends Thread {
    void go() {
      both(); // both: unknown
    }
  }

  class Leaf implements Runnable {
    public void run() {
      helper(); // helper: src/main/java/org/shop/Shop.java Shop.helper
      Shop.this.helper(); // helper: src/main/java/org/shop/Shop.java Shop.helper
    }
  }

  void both() {}
}
""",
    "src/main/java/org/shop/Base.java": """\
package org.shop;

abstract class Base<T> {
  void inherited() {}

  void helper() {}

  void swing() {}

  T first() {
    return null;
  }

  <S> S any(S given) {
    given.price(); // price: unknown
    return given;
  }
}
""",
    "src/main/java/org/shop/Kind.java": """\
package org.shop;

enum Kind {
  SMALL, LARGE;

  int size() {
    return ordinal(); // ordinal: outside
  }
}
""",
    "src/main/java/org/shop/stock/Item.java": """\
package org.shop.stock;

public class Item extends Thing {
  public Item() {}

  public int price() {
    return 1;
  }

  public static int compare(Item a, Item b) {
    return a.price() - b.price(); // price: src/main/java/org/shop/stock/Item.java Item.price
  }
}
""",
    "src/main/java/org/shop/stock/Thing.java": "package org.shop.stock;\n\npublic class Thing {\n void weigh() {}\n}\n",
    "src/main/java/org/shop/till/Till.java": (
        "package org.shop.till;\n\npublic class Till {\n  public void open() {}\n"
        "  public static Till make() { return null; }\n\n"
        "  public static class Drawer {\n    public static void shut() {}\n  }\n}\n"
    ),
    "src/main/java/org/shop/util/Prices.java": (
        "package org.shop.util;\n\npublic class Prices {\n"
        "  public static void cheapest(Object all) {}\n\n  public void list() {}\n}\n"
    ),
    "src/main/java/org/shop/util/Taxes.java": (
        "package org.shop.util;\n\npublic class Taxes {\n  public static void tax(int of) {}\n}\n"
    ),
    "src/main/java/org/other/Item.java": "package org.other;\n\npublic class Item {\n  int price() { return 2; }\n}\n",
    "src/test/java/org/shop/ShopTest.java": """\
package org.shop;

import org.other.Item;

class ShopTest {
  void opens(Shop shop, Item item) {
    shop.helper(); // helper: src/main/java/org/shop/Shop.java Shop.helper
    item.price(); // price: src/main/java/org/other/Item.java Item.price
  }
}
""",
}  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(index(tmp_path_factory.mktemp("java"), dict(FILES))) as opened:
        yield opened


@pytest.mark.parametrize("claim", claims_in(FILES), ids=str)
def test_what_a_name_means(reader: Reader, claim: Claim) -> None:
    assert meanings(reader, claim) == {claim.meaning}
