"""What a name means in C#: namespaces, usings, parts of a type, members of bases, properties, overloads, blocks."""

from collections.abc import Iterator

import pytest
from code_insight.store import Reader

from tests.server.indexed import index
from tests.server.queries.claims import Claim, claims_in, meanings

FILES: dict[str, str] = {
    "Shop/Shop.cs": """\
using System;
using System.Collections.Generic;
using Market.Stock;
using Box = Market.Stock.Crate;
using static Market.Tools.Prices;

namespace Market
{
    public partial class Shop : Base<Item>, IOpen
    {
        private readonly List<Item> _items = new List<Item>(); // Item: Stock/Item.cs Market.Stock.Item
        public Item First { get; set; }

        public void Run(Item given, params string[] words)
        {
            Helper(); // Helper: Shop/Shop.cs Market.Shop.Helper
            Apart(); // Apart: Elsewhere/Shop.Apart.cs Market.Shop.Apart
            Inherited(); // Inherited: Shop/Base.cs Market.Base.Inherited
            this.Inherited(); // Inherited: Shop/Base.cs Market.Base.Inherited
            base.Helper(); // Helper: Shop/Base.cs Market.Base.Helper
            Swing(1); // Swing: Shop/Shop.cs Market.Shop.Swing
            Swing(); // Swing: Shop/Base.cs Market.Base.Swing
            First.Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            _last.Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            given?.Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            foreach (var one in _items)
            {
                one.Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            }
            _items[0].Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            var made = Make();
            made.Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            new Item().Weigh(); // Weigh: Stock/Thing.cs Market.Stock.Thing.Weigh
            new Box().Lock(); // Lock: Stock/Crate.cs Market.Stock.Crate.Lock
            Market.Other.Item.Count(); // Count: Other/Item.cs Market.Other.Item.Count
            Other.Item.Count(); // Count: Other/Item.cs Market.Other.Item.Count
            Cheapest(); // Cheapest: Tools/Prices.cs Market.Tools.Prices.Cheapest
            Console.WriteLine(); // WriteLine: outside
            Console.Out.Twice(); // Twice: unknown
            words.Price(); // Price: unknown
            if (given is Item found) found.Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            (given as Item).Price(); // Price: Stock/Item.cs Market.Stock.Item.Price
            Generated.Price(); // Price: outside
            _items.ForEach(item => item.Price()); // Price: unknown
            Kind.Large.Price(); // Price: unknown
        }

        private Item Make() => null;

        public void Helper() {}

        public void Swing(int times, bool hard = false) {}
    }

    public enum Kind { Small, Large }
}
""",
    "Elsewhere/Shop.Apart.cs": (
        "using Market.Stock;\n\nnamespace Market\n{\n    public partial class Shop\n    {\n"
        "        private Item _last;\n\n        private void Apart() {}\n    }\n}\n"
    ),
    "Shop/Base.cs": (
        "namespace Market;\n\npublic abstract class Base<T>\n{\n    protected void Inherited() {}\n\n"
        "    public void Helper() {}\n\n    public void Swing() {}\n}\n\npublic interface IOpen {}\n"
    ),
    "Stock/Item.cs": "namespace Market.Stock\n{\n  class Item : Thing\n  {\n    public int Price() => 1;\n  }\n}\n",
    "Stock/Thing.cs": "namespace Market.Stock\n{\n  public class Thing\n  {\n    public void Weigh() {}\n  }\n}\n",
    "Stock/Crate.cs": "namespace Market.Stock\n{\n  public class Crate\n  {\n    public void Lock() {}\n  }\n}\n",
    "Other/Item.cs": (
        "namespace Market.Other\n{\n    public class Item\n    {\n        public int Price() => 2;\n\n"
        "        public static int Count() => 2;\n    }\n}\n"
    ),
    "Tools/Prices.cs": (
        "namespace Market.Tools\n{\n    public static class Prices\n    {\n        public static void Cheapest() {}\n\n"
        "        static void Twice(this TextWriter it) {}\n    }\n}\n"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(index(tmp_path_factory.mktemp("csharp"), dict(FILES))) as opened:
        yield opened


@pytest.mark.parametrize("claim", claims_in(FILES), ids=str)
def test_what_a_name_means(reader: Reader, claim: Claim) -> None:
    assert meanings(reader, claim) == {claim.meaning}
