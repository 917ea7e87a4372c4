// State kept between calls: blocks of memory, and judgements about teams.
#pragma once

#include <chrono>
#include <thread>

#include "fastrnn/memory/blocks.h"
#include "fastrnn/team/barrier_time.h"
#include "fastrnn/team/caution.h"
#include "tests/selftest_check.h"

namespace selftest {

inline void test_caution() {
  using namespace std::chrono_literals;
  using fastrnn::judge;
  using fastrnn::should_be_alone;
  constexpr fastrnn::Work work{1e15}, other{1e3};  // sizes that no other test has
  const fastrnn::TeamCost good{2, 6ms, 1ms, 11ms}, slower{2, 3ms, 2ms, 2100us};
  const fastrnn::TeamCost robbed{2, 20ms, 18ms, 10ms}, unmeasured{2, 10ms, 9ms, 0ms};
  judge(work, good);
  check(!should_be_alone(work), "after a good call");
  for (int i = 0; i < 2; ++i) judge(work, slower);
  check(!should_be_alone(work), "a little slower, twice");
  judge(work, good);
  for (int i = 0; i < 2; ++i) judge(work, slower);
  check(!should_be_alone(work), "not in a row");
  judge(work, slower);
  check(should_be_alone(work), "a little slower, three times in a row");
  check(!should_be_alone(other), "other sizes are not concerned");
  check(!should_be_alone({}), "nor calls without a size");
  std::this_thread::sleep_for(60ms);
  check(!should_be_alone(work), "ten times what was lost, then the rest is over");
  judge(work, robbed);
  check(should_be_alone(work), "one lost time slice is enough");
  std::this_thread::sleep_for(120ms);
  check(!should_be_alone(work), "again ten times");
  for (int i = 0; i < 2; ++i) judge(work, robbed);
  std::this_thread::sleep_for(50ms);
  check(should_be_alone(work), "bad again so soon: longer");
  judge(other, unmeasured);
  check(should_be_alone(other), "a lost time slice shows without the processor's clock");
}

inline void test_barrier_time() {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  fastrnn::set_barrier_time(123ns, now);
  check(fastrnn::barrier_time(now + 500ms) == 123ns, "as timed");
  check(!fastrnn::barrier_time_is_due(now + 50ms), "timed a moment ago");
  check(fastrnn::barrier_time_is_due(now + 200ms), "due in a while");
  check(fastrnn::barrier_time(now + 1100ms) == 0ns, "nothing is known after a second");
}

inline void test_block_cache() {
  constexpr std::size_t large = std::size_t{1} << 20;
  const fastrnn::Block first = fastrnn::take_block(large);
  check(first.bytes >= large, "a block is large enough");
  fastrnn::give_block(first);
  const fastrnn::Block again = fastrnn::take_block(large - 100);
  check(again.data == first.data, "a kept block is taken again");
  const fastrnn::Block second = fastrnn::take_block(large);
  check(second.data != first.data, "but only once");
  fastrnn::give_block(again);
  const fastrnn::Block small = fastrnn::take_block(large / 3);
  check(small.data != first.data, "a block is not wasted on a third of its size");
  fastrnn::give_block(small);
  fastrnn::give_block(second);
  for (int i = 0; i < 40; ++i) fastrnn::give_block(fastrnn::take_block(large << (i % 8)));
  const fastrnn::Block odd = fastrnn::take_block(large * 200 + 1);
  check(odd.bytes < large * 200 + 128, "no unfinished page is filled up");
  fastrnn::give_block(odd);
  const fastrnn::Block huge = fastrnn::take_block(large * 600);  // never kept
  fastrnn::give_block(huge);
  check(reinterpret_cast<std::uintptr_t>(huge.data) % 64 == 0, "aligned");
}

}  // namespace selftest
