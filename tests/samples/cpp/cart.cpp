#include "cart.hpp"

namespace shop {
namespace {
int hidden = 1;
void helper(int count);
}  // namespace

template <typename T, class A>
v1::Cart<T, A>::~Cart() {
  items_->~T();
}

template <typename T, class A>
T &v1::Cart<T, A>::at(int index) {
  auto check = [&](int i) { return i < limit_; };
  helper(index);
  auto owner = std::make_unique<Owner>(index);
  auto *line = new v1::Line(1);
  return static_cast<T &>(owner->template get<T>(line->count));
}

// Prints.
std::ostream &operator<<(std::ostream &out, const Cart &cart) { return out; }

Printer::Printer(int width) : Base(width) {}
Printer::operator int() const { return width_; }
int Printer::instances = 0;
int *Printer::Table::row(int i) { return rows_ + i; }

}  // namespace shop

extern "C" int shop_main(int argc, char **argv) { return shop::Printer::run(argc); }
