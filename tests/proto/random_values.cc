#include "tests/proto/random_values.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace tuner::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

uint64_t ChooseSeed() {
  if (const char* given = std::getenv("TUNER_TEST_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device()();
}

}  // namespace

RandomValues::RandomValues() : seed_(ChooseSeed()), engine_(seed_) {
  std::printf("TUNER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
}

int64_t RandomValues::Below(int64_t bound) { return std::uniform_int_distribution<int64_t>(0, bound - 1)(engine_); }

bool RandomValues::Chance(double probability) { return std::bernoulli_distribution(probability)(engine_); }

double RandomValues::FiniteDouble() {
  switch (Below(8)) {
    case 0:
      return 0.0;
    case 1:
      return -0.0;
    case 2:
      return static_cast<double>(Below(2000) - 1000);
    case 3:
      return std::numeric_limits<double>::denorm_min() * static_cast<double>(1 + Below(1000));
    case 4:
      return std::numeric_limits<double>::max();
    case 5:
      return std::numeric_limits<double>::lowest();
    default:
      return std::ldexp(std::uniform_real_distribution<double>(-1, 1)(engine_), static_cast<int>(Below(200)) - 100);
  }
}

double RandomValues::Double() {
  switch (Below(10)) {
    case 0:
      return std::numeric_limits<double>::quiet_NaN();
    case 1:
      return std::numeric_limits<double>::infinity();
    case 2:
      return -std::numeric_limits<double>::infinity();
    default:
      return FiniteDouble();
  }
}

int64_t RandomValues::Int64() {
  switch (Below(6)) {
    case 0:
      return 0;
    case 1:
      return std::numeric_limits<int64_t>::max();
    case 2:
      return std::numeric_limits<int64_t>::min();
    case 3:
      return Below(200) - 100;
    default:
      return static_cast<int64_t>(engine_());
  }
}

std::string RandomValues::Text() {
  static const std::vector<std::string> pieces = {"a",
                                                  "Z",
                                                  "7",
                                                  "_",
                                                  "-",
                                                  ":",
                                                  " ",
                                                  "#",
                                                  "'",
                                                  "\"",
                                                  "\\",
                                                  "\n",
                                                  "\t",
                                                  "\r",
                                                  "{",
                                                  "}",
                                                  "[",
                                                  "]",
                                                  ",",
                                                  "&",
                                                  "*",
                                                  "!",
                                                  "|",
                                                  ">",
                                                  "%",
                                                  "@",
                                                  "`",
                                                  "~",
                                                  "?",
                                                  ".",
                                                  "/",
                                                  "<<",
                                                  "é",
                                                  "漢",
                                                  "\xF0\x9F\x98\x80",
                                                  "\x01",
                                                  "\x7F",
                                                  "\xC2\x85",
                                                  "\xE2\x80\xA8",
                                                  "\xEF\xBB\xBF",
                                                  std::string(1, '\0')};
  static const std::vector<std::string> words = {"no",         "yes",  "on",  "off",      "true",    "false", "null",
                                                 "~",          "1e-4", "4.0", "007",      "0x10",    ".5",    ".nan",
                                                 "2024-01-01", "1:30", "- a", "a: b",     "a #b",    " lead", "trail ",
                                                 "=",          "<<",   "NaN", "Infinity", "MINIMIZE"};
  if (Chance(0.2)) return words[Below(words.size())];
  std::string text;
  for (int64_t i = Below(12); i > 0; --i) text += pieces[Below(pieces.size())];
  return text;
}

absl::Time RandomValues::Time() {
  constexpr int64_t kFirst = -62'135'596'800, kLast = 253'402'300'799;
  return absl::FromUnixSeconds(kFirst + Below(kLast - kFirst + 1)) + absl::Nanoseconds(Below(1'000'000'000));
}

absl::Duration RandomValues::Duration() {
  const absl::Duration duration = absl::Seconds(Below(Chance(0.5) ? 100 : 315'576'000'000)) +
                                  absl::Nanoseconds(Chance(0.5) ? 0 : Below(1'000'000'000));
  return Chance(0.2) ? -duration : duration;
}

bool RandomValues::FillWellKnown(Message& message, bool with_special, int depth) {
  if (auto* value = dynamic_cast<google::protobuf::Value*>(&message)) {
    switch (Below(depth > 4 ? 4 : 6)) {
      case 0:
        value->set_null_value(google::protobuf::NULL_VALUE);
        break;
      case 1:
        value->set_number_value(FiniteDouble());
        break;
      case 2:
        value->set_string_value(Text());
        break;
      case 3:
        value->set_bool_value(Chance(0.5));
        break;
      case 4:
        for (int64_t i = Below(3); i > 0; --i)
          Fill(*value->mutable_list_value()->add_values(), with_special, depth + 1);
        value->mutable_list_value();
        break;
      default:
        for (int64_t i = Below(3); i > 0; --i)
          Fill((*value->mutable_struct_value()->mutable_fields())[Text()], with_special, depth + 1);
        value->mutable_struct_value();
        break;
    }
  } else if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(&message)) {
    const absl::Time random = Time();
    time->set_seconds(absl::ToUnixSeconds(random));
    time->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(random - absl::FromUnixSeconds(time->seconds()))));
  } else if (auto* duration = dynamic_cast<google::protobuf::Duration*>(&message)) {
    absl::Duration rest;
    duration->set_seconds(absl::IDivDuration(Duration(), absl::Seconds(1), &rest));
    duration->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  } else {
    return false;
  }
  return true;
}

void RandomValues::Fill(Message& message, bool with_special, int depth) {
  if (FillWellKnown(message, with_special, depth)) return;
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    if (Chance(depth > 4 ? 0.1 : 0.5)) FillField(message, *type.field(i), with_special, depth);
  }
}

void RandomValues::FillField(Message& message, const FieldDescriptor& field, bool with_special, int depth) {
  const auto& access = *message.GetReflection();
  if (const auto* oneof = field.real_containing_oneof(); oneof != nullptr && access.HasOneof(message, oneof)) return;
  for (int64_t left = field.is_repeated() ? Below(4) : 1; left > 0; --left) {
    const auto put = [&](auto value, auto set, auto add) {
      if (field.is_repeated()) {
        (access.*add)(&message, &field, value);
      } else {
        (access.*set)(&message, &field, value);
      }
    };
    using R = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_DOUBLE:
        put(with_special ? Double() : FiniteDouble(), &R::SetDouble, &R::AddDouble);
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        put(static_cast<float>(Below(1000)) / 8, &R::SetFloat, &R::AddFloat);
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        put(Int32(), &R::SetInt32, &R::AddInt32);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        put(Int64(), &R::SetInt64, &R::AddInt64);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        put(static_cast<uint32_t>(Int64()), &R::SetUInt32, &R::AddUInt32);
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        put(static_cast<uint64_t>(Int64()), &R::SetUInt64, &R::AddUInt64);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        put(Chance(0.5), &R::SetBool, &R::AddBool);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        put(field.enum_type()->value(static_cast<int>(Below(field.enum_type()->value_count())))->number(),
            &R::SetEnumValue, &R::AddEnumValue);
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        put(Text(), &R::SetString, &R::AddString);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        if (depth > 8) return;
        Message& inner =
            field.is_repeated() ? *access.AddMessage(&message, &field) : *access.MutableMessage(&message, &field);
        Fill(inner, with_special, depth + 1);
        if (!field.is_map()) break;
        // An entry without key or value is one whose parts are defaults; a Value must have a kind to be written.
        if (const auto* value = field.message_type()->map_value(); value->message_type() != nullptr) {
          Fill(*inner.GetReflection()->MutableMessage(&inner, value), with_special, depth + 1);
        }
        break;
      }
    }
  }
}

}  // namespace tuner::testing
