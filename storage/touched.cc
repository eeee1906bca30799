#include "storage/touched.h"

#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

namespace tuner::storage {
namespace {

// LEB128. Signed numbers are zigzagged, as a step or an attempt is small but not always positive.
void PutUnsigned(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
void PutSigned(int64_t value, std::string& out) {
  PutUnsigned((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63), out);
}

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  bool AtEnd() const { return bytes_.empty(); }

  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  int64_t Signed() {
    const uint64_t zigzag = Unsigned();
    return static_cast<int64_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
  }
  int32_t Signed32() {
    const int64_t value = Signed();
    if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) failed_ = true;
    return static_cast<int32_t>(value);
  }
  // A number of elements that follow, each of at least one byte.
  uint64_t Count() {
    const uint64_t count = Unsigned();
    if (count > bytes_.size()) failed_ = true;
    return failed_ ? 0 : count;
  }
  std::string Text() {
    const uint64_t size = Count();
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }

 private:
  absl::string_view bytes_;
  bool failed_ = false;
};

}  // namespace

MeasurementKey KeyOf(const core::MeasurementPut& put) {
  return {put.trial, put.measurement.attempt, put.measurement.metric, put.measurement.step};
}

Touched TouchedBy(const core::Changes& changes) {
  Touched touched;
  absl::flat_hash_set<int32_t> trials;
  absl::btree_set<MeasurementKey> measurements;
  absl::flat_hash_set<int64_t> notifications;
  for (const core::Change& change : changes) {
    if (std::holds_alternative<core::JobPut>(change)) {
      touched.header = true;
    } else if (const auto* trial = std::get_if<core::TrialPut>(&change)) {
      if (trials.insert(trial->trial.number).second) touched.trials.push_back(trial->trial.number);
    } else if (const auto* put = std::get_if<core::MeasurementPut>(&change)) {
      MeasurementKey key = KeyOf(*put);
      if (measurements.insert(key).second) touched.measurements.push_back(std::move(key));
    } else {
      const int64_t number = std::get<core::NotificationPut>(change).notification.number;
      if (notifications.insert(number).second) touched.notifications.push_back(number);
    }
  }
  return touched;
}

std::string EncodeTouched(const Touched& touched) {
  std::string bytes;
  PutUnsigned(touched.header ? 1 : 0, bytes);
  PutUnsigned(touched.trials.size(), bytes);
  for (const int32_t number : touched.trials) PutSigned(number, bytes);
  PutUnsigned(touched.measurements.size(), bytes);
  for (const MeasurementKey& key : touched.measurements) {
    PutSigned(key.trial, bytes);
    PutSigned(key.attempt, bytes);
    PutUnsigned(key.metric.size(), bytes);
    bytes.append(key.metric);
    PutSigned(key.step, bytes);
  }
  // Schema 2: left out where there are none, so that an entry without them is as it was.
  if (touched.notifications.empty()) return bytes;
  PutUnsigned(touched.notifications.size(), bytes);
  for (const int64_t number : touched.notifications) PutSigned(number, bytes);
  return bytes;
}

absl::StatusOr<Touched> DecodeTouched(absl::string_view bytes) {
  Reader reader(bytes);
  Touched touched;
  touched.header = reader.Unsigned() == 1;
  touched.trials.resize(reader.Count());
  for (int32_t& number : touched.trials) number = reader.Signed32();
  const uint64_t count = reader.Count();
  for (uint64_t i = 0; i < count && !reader.failed(); ++i) {
    MeasurementKey key;
    key.trial = reader.Signed32();
    key.attempt = reader.Signed32();
    key.metric = reader.Text();
    key.step = reader.Signed();
    touched.measurements.push_back(std::move(key));
  }
  if (!reader.failed() && !reader.AtEnd()) {
    touched.notifications.resize(reader.Count());
    for (int64_t& number : touched.notifications) number = reader.Signed();
  }
  if (reader.failed() || !reader.AtEnd()) return absl::DataLossError("an entry of the change log cannot be read");
  return touched;
}

}  // namespace tuner::storage
