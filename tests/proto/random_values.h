// Random material for round-trip tests. Each test prints its seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "absl/time/time.h"
#include "google/protobuf/message.h"

namespace tuner::testing {

class RandomValues {
 public:
  // With the seed of the environment's TUNER_TEST_SEED, or a new one; prints it.
  RandomValues();

  uint64_t seed() const { return seed_; }
  // In [0, bound).
  int64_t Below(int64_t bound);
  bool Chance(double probability);
  // Any: zeros of both signs, integers, denormal numbers, extremes, NaN and infinities.
  double Double();
  double FiniteDouble();
  int64_t Int64();
  int32_t Int32() { return static_cast<int32_t>(Int64()); }
  // UTF-8 of up to 12 characters: letters, digits, quotes, colons, spaces, control characters, emoji; words that YAML
  // reads as other things.
  std::string Text();
  // Within the years 1 to 9999, in nanoseconds.
  absl::Time Time();
  absl::Duration Duration();

  // Fills a message of any type by reflection, with NaN and infinities only if `with_special`.
  void Fill(google::protobuf::Message& message, bool with_special, int depth = 0);

 private:
  void FillField(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field, bool with_special,
                 int depth);
  bool FillWellKnown(google::protobuf::Message& message, bool with_special, int depth);

  uint64_t seed_;
  std::mt19937_64 engine_;
};

}  // namespace tuner::testing
