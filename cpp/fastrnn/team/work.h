// Work: how much a call computes, and the four decisions of a team that rest on it.
#pragma once

namespace fastrnn {

struct Work {
  // Of the whole call; an operation without products counts what takes as long. 0: not known, or
  // a test has forced the number of threads: nothing is decided by it.
  double multiply_adds = 0;

  // Over before anybody could wish to stop it, so it never looks at the clock, which waits for all
  // that the processor has begun: a step of an LSTM with H = 128 took 2.6 us with its five looks.
  bool brief() const { return multiply_adds > 0 && multiply_adds < 2e6; }

  // Whether teams for it are judged at all (caution.h) and time barriers (barrier_time.h), ...
  bool judged() const { return multiply_adds > 0; }
  // ... by their processor time as well, which takes a microsecond to find out, ...
  bool measured() const { return multiply_adds >= 4e6; }
  // ... and among which calls: those of this class, each of 16 times the work of the one before.
  static constexpr int kClasses = 8;
  int size_class() const {
    const int size = __builtin_ilogb(multiply_adds > 1 ? multiply_adds : 1) / 4 - 4;
    return size < 0 ? 0 : size < kClasses ? size : kClasses - 1;
  }
};

}  // namespace fastrnn
