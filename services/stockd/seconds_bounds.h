// The buckets of every histogram of durations that has no reason for others.
#pragma once

#include <vector>

namespace stockd {

// From what memory takes to what a caller waits, in seconds.
inline const std::vector<double> kSecondsBounds = {
    0.000002, 0.00001, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
    0.025,    0.05,    0.1,     0.25,   0.5,     1,      2.5,   5,      10};

}  // namespace stockd
