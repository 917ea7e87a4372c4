// Truncated BPTT: the recurrent gradient of a row is cut every k of the row's own steps.
//
// A row counts from where it starts, which in the reverse direction is its own last step, so what
// it gets does not depend on the rows beside it.
#pragma once

#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/rnn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

class Truncation {
 public:
  Truncation(const Steps& steps, index_t every) : steps_(steps), every_(every) {}

  // Whether the gradient of row r is cut between step q and the state before it.
  bool cuts(index_t q, index_t r) const {
    if (every_ == 0 || r >= steps_.rows(q) || r >= steps_.rows(q - 1)) return false;
    const index_t start = steps_.reverse ? steps_.count - steps_.row_length(r) : 0;
    return (q - start) % every_ == 0;
  }

  // The first of these rows, as far as step q is cut for all of them or for none.
  Range alike(index_t q, Range rows) const {
    if (every_ == 0) return rows;
    index_t end = rows.begin + 1;
    while (end < rows.end && cuts(q, end) == cuts(q, rows.begin)) ++end;
    return {rows.begin, end};
  }

 private:
  const Steps& steps_;
  index_t every_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
