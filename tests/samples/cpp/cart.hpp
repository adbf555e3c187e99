#pragma once
#include <vector>
#include "item.hpp"

#define SHOP_API __attribute__((visibility("default")))

namespace shop::v1 {

using Items = std::vector<Item>;
typedef unsigned int Count;
using std::string;
using namespace std::literals;

enum class Size : int { Small, Large = 10 };

/// Keeps things.
class SHOP_API Store {
 public:
  virtual ~Store() = default;
  virtual int size() const = 0;
};

/**
 * A cart.
 */
template <typename T, class Allocator = std::allocator<T>>
class Cart final : public Store, private detail::Base<T> {
 public:
  static constexpr int kLimit = 100;

  Cart();
  explicit Cart(int limit) : limit_(limit), items_{} {}
  ~Cart() override;

  int size() const override { return items_.size(); }
  T &at(int index);
  const T *find(const string &name) const;
  bool operator==(const Cart &other) const;
  explicit operator bool() const { return limit_ > 0; }

  template <typename F>
  void each(F &&visit) {
    for (auto &item : items_) visit(item);
  }

  struct Line {
    int count, number;
  };
  friend class Printer;

 private:
  int limit_;
  T *items_[10], last_;
};

template <>
struct Hash<Cart<int>> {
  int operator()(const Cart<int> &cart) const;
};

template <typename T>
concept Priced = requires(T t) { t.price(); };

inline int total = 0;

}  // namespace shop::v1
