// The front door of the updates: many flat arrays of both float types, one team for all of them.
#include "fastrnn/nn/optim.h"

#include <algorithm>

#include "fastrnn/dispatch.h"
#include "fastrnn/nn/table.h"
#include "fastrnn/rnn/plan.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {
namespace {

// Arrays are cut into blocks of so many elements, which one thread takes as a whole: a sum of
// squares is that of the blocks' sums, in their order.
constexpr index_t kBlock = 4096;

// The cost of one float32 element, in multiply-adds. Two Zen 4 cores are as fast as one at 55,000
// elements of Adam, which reads and writes 7 numbers for each, at 100,000 of SGD with its 3, and of
// the norm.
double update_work(UpdateRule rule) { return 3 + 2 * rule_kept(rule); }
constexpr double kRowWork = 4;

template <class Item>
index_t blocks_of(const std::vector<Item>& items) {
  index_t blocks = 0;
  for (const Item& item : items) blocks += (item.size + kBlock - 1) / kBlock;
  return blocks;
}

// f(item, first, last, block) for this thread's part of each array: all blocks stand in a row, and
// every thread takes an equal stretch. block is the number of the first one in the row.
template <class Item, class F>
void for_share(const std::vector<Item>& items, const Team& team, F&& f) {
  const index_t blocks = blocks_of(items);
  const index_t begin = blocks * team.rank() / team.size();
  const index_t end = blocks * (team.rank() + 1) / team.size();
  index_t at = 0;
  for (const Item& item : items) {
    const index_t next = at + (item.size + kBlock - 1) / kBlock;
    const index_t first = std::max(begin, at), last = std::min(end, next);
    if (first < last)
      f(item, (first - at) * kBlock, std::min((last - at) * kBlock, item.size), first);
    at = next;
  }
}

template <template <class> class Array>
double elements(const Arrays<Array>& arrays) {
  double count = 0;
  for (const auto& item : arrays.f32) count += double(item.size);
  for (const auto& item : arrays.f64) count += 2 * double(item.size);
  return count;
}

template <class F>
void run(double multiply_adds, int num_threads, F&& f) {
  const Work work{multiply_adds};
  run_team(team_size(work, num_threads), f, work);
}

// `size` elements from `first` on, with another gradient.
template <class T>
Parameter<T> part(const Parameter<T>& p, index_t first, const T* grad, index_t size) {
  Parameter<T> q{p.param + first, grad, {}, size};
  for (int k = 0; k < kMostKept; ++k) q.kept[k] = p.kept[k] ? p.kept[k] + first : nullptr;
  return q;
}

template <class T>
constexpr T kZeros[kBlock] = {};

// Elements first .. last - 1 of a table: of all its rows, or if it is lazy of those with a
// gradient.
template <class T, class Update>
void update_rows(const Table<T>& t, index_t first, index_t last, Update&& update) {
  index_t k = t.lazy ? first / t.width
                     : std::lower_bound(t.rows, t.rows + t.count, first / t.width) - t.rows;
  while (first < last) {
    const index_t row = t.lazy ? k : first / t.width, column = first - row * t.width;
    const bool here = k < t.count && (t.lazy || t.rows[k] == row);
    index_t n = here ? t.width - column : kBlock;
    if (!here && k < t.count) n = std::min(n, t.rows[k] * t.width - first);
    n = std::min(n, last - first);
    const index_t at = t.lazy ? t.rows[k] * t.width + column : first;
    update(part<T>(t, at, here ? t.grad + k * t.width + column : kZeros<T>, n));
    first += n;
    k += here;
  }
}

}  // namespace

const char* rule_name(UpdateRule rule) {
#define FASTRNN_NAME(name, kept) #name,
  constexpr const char* names[] = {FASTRNN_FOR_EACH_RULE(FASTRNN_NAME)};
#undef FASTRNN_NAME
  return names[static_cast<int>(rule)];
}

int rule_kept(UpdateRule rule) {
#define FASTRNN_KEPT(name, kept) kept,
  constexpr int counts[] = {FASTRNN_FOR_EACH_RULE(FASTRNN_KEPT)};
#undef FASTRNN_KEPT
  return counts[static_cast<int>(rule)];
}

void optim_update(UpdateRule rule, const UpdateNumbers& numbers,
                  const Arrays<Parameter>& parameters, const Arrays<Table>& tables,
                  int num_threads) {
  const auto f32 = nn_kernels<float>().optim.update[static_cast<int>(rule)];
  const auto f64 = nn_kernels<double>().optim.update[static_cast<int>(rule)];
  const double work = update_work(rule) * (elements(parameters) + elements(tables));
  run(work, num_threads, [&](Team& team) {
    const auto with = [&](auto update) {
      return [&numbers, update](const auto& p, index_t first, index_t last, index_t) {
        update(numbers, p, first, last);
      };
    };
    const auto with_rows = [&](auto update) {
      return [&numbers, update](const auto& t, index_t first, index_t last, index_t) {
        update_rows(t, first, last, [&](const auto& p) { update(numbers, p, 0, p.size); });
      };
    };
    for_share(parameters.f32, team, with(f32));
    for_share(parameters.f64, team, with(f64));
    for_share(tables.f32, team, with_rows(f32));
    for_share(tables.f64, team, with_rows(f64));
  });
}

double sum_of_squares(const Arrays<Input>& rows, int num_threads) {
  const index_t blocks32 = blocks_of(rows.f32), blocks = blocks32 + blocks_of(rows.f64);
  std::vector<double> sums(static_cast<std::size_t>(blocks));
  const auto f32 = nn_kernels<float>().optim.sum_of_squares;
  const auto f64 = nn_kernels<double>().optim.sum_of_squares;
  run(kRowWork * elements(rows), num_threads, [&](Team& team) {
    const auto with = [&](auto sum, index_t offset) {
      return [&sums, sum, offset](const auto& row, index_t first, index_t last, index_t block) {
        for (double* to = sums.data() + offset + block; first < last; first += kBlock)
          *to++ = sum(row.data + first, std::min(kBlock, last - first));
      };
    };
    for_share(rows.f32, team, with(f32, 0));
    for_share(rows.f64, team, with(f64, blocks32));
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

namespace {

// Changes every element by itself.
template <class F32, class F64>
void change(const Arrays<Row>& rows, double by, int num_threads, F32 f32, F64 f64) {
  run(kRowWork * elements(rows), num_threads, [&](Team& team) {
    const auto with = [by](auto kernel) {
      return [by, kernel](const auto& row, index_t first, index_t last, index_t) {
        kernel(row.data + first, last - first, by);
      };
    };
    for_share(rows.f32, team, with(f32));
    for_share(rows.f64, team, with(f64));
  });
}

}  // namespace

void scale(const Arrays<Row>& rows, double factor, int num_threads) {
  change(rows, factor, num_threads, nn_kernels<float>().optim.scale,
         nn_kernels<double>().optim.scale);
}

void clamp(const Arrays<Row>& rows, double limit, int num_threads) {
  change(rows, limit, num_threads, nn_kernels<float>().optim.clamp,
         nn_kernels<double>().optim.clamp);
}

}  // namespace fastrnn
