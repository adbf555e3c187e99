<?php

declare(strict_types=1);

namespace Example\Shop;

use Example\Items\Item;
use Example\Items\Price as Cost;
use Example\Util\{Logger, Clock as Watch};
use function Example\Util\format;
use Countable;

require_once __DIR__ . '/helpers.php';

const LIMIT = 100;
define('SHOP_DEBUG', false);

/**
 * Keeps things.
 */
interface Store extends Countable, \Traversable
{
    public function add(Item $item): void;
}

trait Logs
{
    protected ?Logger $logger = null;

    abstract function name(): string;
}

enum Size: string implements Named
{
    case Small = 's';
    case Large = 'l';

    const DEFAULT = self::Small;
}

/**
 * A cart.
 */
#[Entity(table: 'carts')]
abstract class Cart extends Base\Model implements Store, \JsonSerializable
{
    use Logs, Counts;

    private const KIND = 'cart';
    private array $items = [], $removed;
    public static int $count = 0;

    public function __construct(private readonly string $owner, int $limit = LIMIT)
    {
        parent::__construct();
    }

    // Adds one.
    #[Override]
    public function add(Item|Cost $item): void
    {
        $check = fn (Item $each) => $each->price;
        $this->items[] = $item;
        $later = function () use ($item) { $hidden = 1; };
        self::$count++;
        Watch::now()->add(new Cost(1));
        format($item?->label(), self::KIND);
        if ($item instanceof Special) { return; }
    }

    abstract protected function size(): int;
}

function total(Cart ...$carts): float
{
    function nested() {}
    return array_sum(array_map('price', $carts));
}

$cart = new Cart('me');
