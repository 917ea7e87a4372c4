// The front door of the updates: many flat arrays of both float types, one team for all of them.
#pragma once

#include <vector>

#include "fastrnn/nn/optim_args.h"

namespace fastrnn {

template <template <class> class Array>
struct Arrays {
  std::vector<Array<float>> f32;
  std::vector<Array<double>> f64;
};

const char* rule_name(UpdateRule rule);
int rule_kept(UpdateRule rule);  // how many arrays are kept beside each parameter array

template <class T>
using Input = Row<const T>;

// num_threads, 0: the process-wide setting. What they write does not depend on it, bit for bit.
// They stop for nothing once they have begun; Interrupted is thrown after the last element.
void optim_update(UpdateRule rule, const UpdateNumbers& numbers,
                  const Arrays<Parameter>& parameters, const Arrays<Table>& tables,
                  int num_threads);
double sum_of_squares(const Arrays<Input>& rows, int num_threads);
void scale(const Arrays<Row>& rows, double factor, int num_threads);
void clamp(const Arrays<Row>& rows, double limit, int num_threads);

}  // namespace fastrnn
