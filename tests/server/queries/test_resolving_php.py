"""What a name means in PHP: namespaces, `use`, members of parents and traits, properties, parameters, fluent calls."""

from collections.abc import Iterator

import pytest
from code_insight.store import Reader

from tests.server.indexed import index
from tests.server.queries.claims import Claim, claims_in, meanings

FILES: dict[str, str] = {
    "src/Shop.php": """\
<?php

namespace Market;

use Market\\Stock\\Item;
use Market\\Stock\\Crate as Box;
use Vendor\\Item as TheirItem;
use function Market\\Tools\\cheapest;

class Shop extends Base implements Open
{
    use Painted;

    private Item $item;
    private $late;
    private string $name;

    public function __construct(private readonly Box $box, $unknown)
    {
        $this->late = new Item(); // Item: src/Stock/Item.php Market.Stock.Item
    }

    public function name(): string
    {
        return $this->name;
    }

    public function run(?Item $given, TheirItem $theirs, ...$words): static
    {
        $this->helper(); // helper: src/Shop.php Market.Shop.helper
        $this->inherited(); // inherited: src/Base.php Market.Base.inherited
        self::made()->price(); // price: src/Stock/Item.php Market.Stock.Item.price
        static::made()->weigh(); // weigh: src/Stock/Thing.php Market.Stock.Thing.weigh
        parent::helper(); // helper: src/Base.php Market.Base.helper
        $this->paint(); // paint: src/Painted.php Market.Painted.paint
        $this->item->price(); // price: src/Stock/Item.php Market.Stock.Item.price
        $this->late->price(); // price: src/Stock/Item.php Market.Stock.Item.price
        $this->box->lock(); // lock: src/Stock/Crate.php Market.Stock.Crate.lock
        $given?->price(); // price: src/Stock/Item.php Market.Stock.Item.price
        $theirs->price(); // price: outside
        $words->price(); // price: unknown
        $made = new Item();
        $made->price(); // price: src/Stock/Item.php Market.Stock.Item.price
        (new Box())->lock(); // lock: src/Stock/Crate.php Market.Stock.Crate.lock
        (new \\Market\\Stock\\Crate())->lock(); // lock: src/Stock/Crate.php Market.Stock.Crate.lock
        Stock\\Item::count(); // count: src/Stock/Item.php Market.Stock.Item.count
        Near::open(); // open: src/Near.php Market.Near.open
        $this->run($given, $theirs)->helper(); // helper: src/Shop.php Market.Shop.helper
        cheapest(); // cheapest: src/Tools/prices.php Market.Tools.cheapest
        local(); // local: src/Tools/local.php Market.local
        everywhere(); // everywhere: src/Tools/everywhere.php everywhere
        strlen('x'); // strlen: outside
        $unknown->price(); // price: unknown
        $this->name()->price(); // price: outside
        return $this;
    }

    public function again(): self
    {
        return $this->again()->again(); // again: src/Shop.php Market.Shop.again
    }

    public static function made(): Item
    {
        return new Item();
    }

    public function helper(): void {}
}
""",
    "src/Base.php": (
        "<?php\n\nnamespace Market;\n\nabstract class Base\n{\n    public function inherited() {}\n\n"
        "    public function helper() {}\n\n    public function paint() {}\n}\n\ninterface Open {}\n"
    ),
    "src/Painted.php": "<?php\n\nnamespace Market;\n\ntrait Painted\n{\n    public function paint() {}\n}\n",
    "src/Near.php": "<?php\n\nnamespace Market;\n\nclass Near\n{\n    public static function open() {}\n}\n",
    "src/Stock/Item.php": (
        "<?php\n\nnamespace Market\\Stock;\n\nclass Item extends Thing\n{\n    public function price() {}\n\n"
        "    public static function count() {}\n}\n"
    ),
    "src/Stock/Thing.php": "<?php\n\nnamespace Market\\Stock;\n\nclass Thing\n{\n    public function weigh() {}\n}\n",
    "src/Stock/Crate.php": "<?php\n\nnamespace Market\\Stock;\n\nclass Crate\n{\n    public function lock() {}\n}\n",
    "src/Other/Item.php": "<?php\n\nnamespace Market\\Other;\n\nclass Item\n{\n    public function price() {}\n}\n",
    "src/Tools/prices.php": "<?php\n\nnamespace Market\\Tools;\n\nfunction cheapest() {}\n",
    "src/Tools/local.php": "<?php\n\nnamespace Market;\n\nfunction local() {}\n",
    "src/Tools/everywhere.php": "<?php\n\nfunction everywhere() {}\n",
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(index(tmp_path_factory.mktemp("php"), dict(FILES))) as opened:
        yield opened


@pytest.mark.parametrize("claim", claims_in(FILES), ids=str)
def test_what_a_name_means(reader: Reader, claim: Claim) -> None:
    assert meanings(reader, claim) == {claim.meaning}
