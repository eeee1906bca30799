// Text as people read it on a terminal: widths, escapes, numbers, times. Pure functions; any thread. Widths in terminal
// columns.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace tuner::cli {

// Columns that `text` takes: combining marks none, wide East Asian characters two. Malformed bytes count one each.
size_t DisplayWidth(absl::string_view text);

// `text` with control characters and malformed bytes as \n, \t, \x1b, so that nothing a job or trial wrote can move the
// cursor.
std::string Printable(absl::string_view text);

// At most `columns` wide; what was cut is marked by an ellipsis. Expects printable text.
std::string Shortened(absl::string_view text, size_t columns);

// Up to `digits` significant digits, without trailing zeros: 0.0812, 1e-05, 12, nan.
std::string Number(double value, int digits = 6);

// A parameter's value: a number as it can be read back exactly, a string as it is, true and false.
std::string ValueText(const google::protobuf::Value& value);

// 850ms, 12s, 3m 05s, 2h 10m, 4d 03h.
std::string DurationText(absl::Duration duration);

// 1.5 GiB, 300 MiB.
std::string BytesText(double bytes);

// 2026-03-01 14:05:09 in the local time zone; "" for the time zero.
std::string TimeText(const google::protobuf::Timestamp& time);

absl::Time ToTime(const google::protobuf::Timestamp& time);
absl::Duration ToDuration(const google::protobuf::Duration& duration);

}  // namespace tuner::cli
