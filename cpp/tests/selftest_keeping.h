// State kept between calls: blocks of memory, and judgements about teams.
#pragma once

#include <chrono>

#include "fastrnn/memory/blocks.h"
#include "fastrnn/team/barrier_time.h"
#include "fastrnn/team/caution.h"
#include "tests/selftest_check.h"

namespace selftest {

inline void test_caution() {
  using namespace std::chrono_literals;
  const fastrnn::TeamCost good{2, 6ms, 1ms, 11ms}, slower{2, 3ms, 2ms, 2100us};
  const fastrnn::TeamCost robbed{2, 20ms, 18ms, 10ms}, unmeasured{2, 10ms, 9ms, 0ms};
  fastrnn::Caution caution;
  fastrnn::Caution::Time now{1h};
  caution.judge(good, now);
  check(!caution.should_be_alone(now), "after a good call");
  for (int i = 0; i < 2; ++i) caution.judge(slower, now);
  check(!caution.should_be_alone(now), "a little slower, twice");
  caution.judge(good, now);
  for (int i = 0; i < 2; ++i) caution.judge(slower, now);
  check(!caution.should_be_alone(now), "not in a row");
  check(!caution.was_ever_needed(), "so far it was not needed");
  caution.judge(slower, now);
  check(caution.should_be_alone(now), "a little slower, three times in a row");
  check(caution.should_be_alone(now + 26ms), "ten times what was lost: 2.7 ms");
  now += 28ms;
  check(!caution.should_be_alone(now), "then the rest is over");
  now += 60ms;
  caution.judge(robbed, now);
  check(caution.should_be_alone(now + 99ms), "one lost time slice is enough, ten times 10 ms");
  now += 101ms;
  check(!caution.should_be_alone(now), "again ten times");
  caution.judge(robbed, now);
  check(caution.should_be_alone(now + 199ms), "bad again so soon: longer");
  for (int i = 0; i < 5; ++i) caution.judge(robbed, now);
  check(!caution.should_be_alone(now + 401ms), "but never more than forty times");
  fastrnn::Caution other;
  other.judge(unmeasured, now);
  check(other.should_be_alone(now), "a lost time slice shows without the processor's clock");
  other.judge({2, 1h, 1h, 0ms}, now + 1h);
  check(!other.should_be_alone(now + 1h + 1001ms), "no rest is longer than a second");
}

inline void test_cautions_of_sizes() {
  using namespace std::chrono_literals;
  constexpr fastrnn::Work work{1e15}, other{1e13};  // sizes that no other test has
  fastrnn::judge(work, {1, 20ms, 18ms, 10ms});
  check(!fastrnn::caution_of(work).was_ever_needed(), "one thread is not judged");
  fastrnn::judge(work, {2, 20ms, 18ms, 10ms});
  check(fastrnn::caution_of(work).was_ever_needed(), "calls of a size");
  check(!fastrnn::caution_of(other).was_ever_needed(), "other sizes are not concerned");
  check(!fastrnn::should_be_alone(other), "so they have their team");
  fastrnn::judge({}, {2, 20ms, 18ms, 10ms});
  check(!fastrnn::should_be_alone({}), "nor calls without a size");
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
