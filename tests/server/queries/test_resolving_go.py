"""What a name means in Go: packages, imports, receivers, fields, embedding, interfaces, results, blocks, builds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from code_insight.model import Occurrence
from code_insight.queries.resolving import Defined, Outside, Package, Resolver
from code_insight.store import Reader

from tests.server.indexed import index

# A comment at the end of a line names one of its names, and what that means: "a.F" is F of the folder a.
FILES: dict[str, str] = {
    "go.mod": "module example.com/shop/v2\n",
    "shop.go": """\
package shop

import (
	"net/http"

	"example.com/shop/v2/cart"
	alias "example.com/shop/v2/till-go"
)

type Handler func(c *cart.Cart) error

type Shop struct {
	cart.Base
	carts  []*cart.Cart
	named  map[string]*cart.Cart
	seller Seller
	then   Handler
}

type Seller interface {
	Sell(item string) (*cart.Cart, error)
}

func (s *Shop) Open(first bool) {
	s.helper()                 // helper: .Shop.helper
	outer()                    // outer: .outer
	s.Lock()                   // Lock: cart.Base.Lock
	s.Base.Lock()              // Lock: cart.Base.Lock
	s.carts[0].Add("x")        // Add: cart.Cart.Add
	s.seller.Sell("x")         // Sell: .Seller.Sell
	bought, err := s.seller.Sell("x")
	bought.Add("y")            // Add: cart.Cart.Add
	err.Error()                // Error: outside
	c := cart.New()
	c.Add("x")                 // Add: cart.Cart.Add
	for _, one := range s.named {
		one.Add("x")             // Add: cart.Cart.Add
	}
	if c := (alias.Till{}); first {
		c.Add(1)                 // Add: till-go.Till.Add
	}
	c.Add("after the block")   // Add: cart.Cart.Add
	func(c *alias.Till) {
		c.Add(2)                 // Add: till-go.Till.Add
	}(nil)
	s.then(c)
	http.Get("x")              // Get: outside
	alias.Pay()                // Pay: till-go.Pay
	found := cart.First(s.carts)
	found.Add("x")             // Add: unknown
	http.DefaultClient.Add()   // Add: outside
	make := func() *cart.Cart { return nil }
	make().Add("x")            // Add: cart.Cart.Add
	method := c.Add            // Add: cart.Cart.Add
	method("x")
	var anything interface{}
	anything.(*cart.Cart).Add("x") // Add: cart.Cart.Add
	switch one := anything.(type) {
	case *alias.Till:
		one.Add(3)               // Add: till-go.Till.Add
	case *cart.Cart, *Shop:
		one.Add("x")             // Add: unknown
	}
	cart.Default.Add("x")      // Add: cart.Cart.Add
	cart.Default.Clone().Add("x") // Add: cart.Cart.Add
	cart.Box[cart.Cart]{}.Get().Add("x") // Add: cart.Cart.Add
}
""",
    "helper.go": "package shop\n\nfunc (s *Shop) helper() {}\n\nfunc outer() {}\n",
    "shop_test.go": """\
package shop_test

import (
	"testing"

	shop "example.com/shop/v2"
)

func TestOpen(t *testing.T) {
	t.Run("x", nil)            // Run: outside
	new(shop.Shop).Open(true)  // Open: .Shop.Open
	(&shop.Shop{}).Open(true)  // Open: .Shop.Open
}
""",
    "cart/cart.go": """\
package cart

import "sync"

var Default = New()

type Base struct{ sync.Locker; mu sync.Mutex }

func (b *Base) Lock() { b.mu.Lock() } // Lock: outside

type Cart struct{ Base }

func (Cart) Add(item string) { open() } // open: cart.open of open_linux.go
func (c *Cart) Clone() (copied *Cart) { return c }
func New() *Cart { return &Cart{} }
func First[T any](all []T) (one T) { return all[0] }

type Box[T any] struct{ value *T }

func (b Box[T]) Get() *T { return b.value }
""",
    "cart/open_linux.go": "package cart\n\nfunc open() {}\n",
    "cart/open_windows.go": "package cart\n\nfunc open() {}\n",
    "cart/open_other.go": "//go:build !linux && !windows\n\npackage cart\n\nfunc open() {}\n",
    "till-go/till.go": "package till\n\ntype Till struct{}\n\nfunc (*Till) Add(n int) {}\n\nfunc Pay() {}\n",
}
_EXPECTED = re.compile(r"// (\w+): (.+)$")
CLAIMS = [
    (path, line, *match.groups())
    for path, text in FILES.items()
    for line, content in enumerate(text.splitlines(), start=1)
    if (match := _EXPECTED.search(content))
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(index(tmp_path_factory.mktemp("go"), dict(FILES))) as opened:
        yield opened


def _in_words(resolver: Resolver, use: Occurrence) -> str:
    match resolver.meaning(use):
        case Defined(symbol):
            folder, _, name = symbol.path.rpartition("/")
            return f"{folder}.{symbol.qualified_name}" + (f" of {name}" if name.startswith("open") else "")
        case Outside():
            return "outside"
        case Package(folder):
            return f"package {folder}"
    return "unknown"


@pytest.mark.parametrize(("path", "line", "name", "meaning"), CLAIMS)
def test_what_a_name_means(reader: Reader, path: str, line: int, name: str, meaning: str) -> None:
    resolver = Resolver(reader)
    uses = [use for use in reader.occurrences(name) if (use.path, use.line) == (path, line)]
    assert {_in_words(resolver, use) for use in uses} == {meaning}


def test_an_imported_name_means_its_package(reader: Reader) -> None:
    uses = [use for use in reader.occurrences("cart") if use.path == "shop.go"]
    assert {_in_words(Resolver(reader), use) for use in uses} == {"package cart"}
