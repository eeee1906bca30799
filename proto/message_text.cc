#include "proto/message_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "proto/utf8.h"

namespace tuner::job_file {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kLineWidth = 100;

// Text in layout-free form: a scalar is ready to be printed, in either notation.
struct Item;
struct Node {
  enum class Kind { kScalar, kList, kMap };
  Kind kind = Kind::kScalar;
  std::string text;         // of a scalar
  std::vector<Item> items;  // of a list (no keys) or map (keys ready to be printed)
};
struct Item {
  std::string key;
  Node node;
};

Node Scalar(std::string text) { return {.text = std::move(text)}; }

std::string JsonString(const std::string& raw) {
  const std::string text = convert::ToUtf8(raw);
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      case '\t':
        result += "\\t";
        break;
      default:
        if (absl::ascii_iscntrl(c)) {
          absl::StrAppendFormat(&result, "\\u%04x", static_cast<unsigned char>(c));
        } else {
          result += c;
        }
    }
  }
  return result + "\"";
}

// Whether YAML 1.1 and 1.2 readers alike take the bare text for text.
bool IsPlainText(const std::string& text) {
  static constexpr const char* kWords[] = {"true", "false", "yes",  "no",  "on",  "off",
                                           "y",    "n",     "null", "nan", "inf", "infinity"};
  const absl::string_view start = absl::StripPrefix(text, "--");  // as options of a command begin
  if (start.empty() || text.back() == ' ') return false;
  if (!absl::ascii_isalpha(start[0]) && start[0] != '_' && start[0] != '/') return false;
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-@%= ") !=
      std::string::npos) {
    return false;
  }
  return std::none_of(std::begin(kWords), std::end(kWords),
                      [&](const char* word) { return absl::EqualsIgnoreCase(text, word); });
}

// The shortest text that reads back to the same finite number: 0.1, 4, 1e-4, and -0.0, which readers would take for the
// integer 0 otherwise.
template <typename T>
std::string ShortestNumber(T value) {
  if (value == 0) return std::signbit(value) ? "-0.0" : "0";
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, end);
  const size_t exponent = text.find('e');
  if (exponent == std::string::npos) return text;
  const bool is_negative = text[exponent + 1] == '-';
  const size_t digits = text.find_first_not_of('0', exponent + 2);
  return absl::StrCat(text.substr(0, exponent), is_negative ? "e-" : "e", text.substr(digits));
}

// Seconds with as many digits as they need: 0, 3, 6 or 9.
std::string Fraction(int32_t nanos) {
  if (nanos == 0) return "";
  if (nanos % 1'000'000 == 0) return absl::StrFormat(".%03d", nanos / 1'000'000);
  if (nanos % 1'000 == 0) return absl::StrFormat(".%06d", nanos / 1'000);
  return absl::StrFormat(".%09d", nanos);
}

std::string DurationText(const google::protobuf::Duration& duration) {
  const bool is_negative = duration.seconds() < 0 || duration.nanos() < 0;
  const uint64_t seconds = is_negative ? -static_cast<uint64_t>(duration.seconds()) : duration.seconds();
  return absl::StrCat(is_negative ? "-" : "", seconds, Fraction(std::abs(duration.nanos())), "s");
}

std::string TimestampText(const google::protobuf::Timestamp& time) {
  return absl::StrCat(
      absl::FormatTime("%E4Y-%m-%dT%H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone()),
      Fraction(time.nanos()), "Z");
}

// Builds the layout-free form of messages by reflection.
class Builder {
 public:
  explicit Builder(bool is_json) : is_json_(is_json) {}

  Node Build(const Message& message) const {
    Node node;
    if (WellKnown(message, node)) return node;
    node.kind = Node::Kind::kMap;
    const auto& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (IsShown(message, field)) node.items.push_back({Text(field.name()), BuildField(message, field)});
    }
    return node;
  }

 private:
  bool IsShown(const Message& message, const FieldDescriptor& field) const {
    if (field.is_repeated()) return message.GetReflection()->FieldSize(message, &field) > 0;
    if (field.has_presence() || message.GetReflection()->HasField(message, &field)) {
      return message.GetReflection()->HasField(message, &field);
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
      case FieldDescriptor::CPPTYPE_ENUM:
        return false;
      case FieldDescriptor::CPPTYPE_BOOL:
        return is_json_;
      default:
        return true;
    }
  }

  std::string Text(const std::string& text) const { return !is_json_ && IsPlainText(text) ? text : JsonString(text); }

  // JSON clients lose digits of 64-bit numbers, so its mapping puts them in quotes.
  template <typename T>
  std::string Wide(T value) const {
    return is_json_ ? absl::StrCat("\"", value, "\"") : absl::StrCat(value);
  }

  template <typename T>
  std::string Number(T value) const {
    if (std::isnan(value)) return is_json_ ? "\"NaN\"" : ".nan";
    if (std::isinf(value))
      return absl::StrCat(is_json_ ? "\"" : "", value < 0 ? "-" : "", is_json_ ? "Infinity\"" : ".inf");
    return ShortestNumber(value);
  }

  Node BuildField(const Message& message, const FieldDescriptor& field) const {
    if (!field.is_repeated()) return Single(message, field, -1);
    Node node{.kind = field.is_map() ? Node::Kind::kMap : Node::Kind::kList};
    const int size = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < size; ++i) {
      if (!field.is_map()) {
        node.items.push_back({"", Single(message, field, i)});
        continue;
      }
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      node.items.push_back({MapKey(entry), Single(entry, *entry.GetDescriptor()->map_value(), -1)});
    }
    // Maps have no order of their own; text that is compared needs one, whether a key stands in quotes or not.
    const auto bare = [](const std::string& key) { return absl::StripPrefix(key, "\""); };
    const auto before = [&](const auto& x, const auto& y) { return bare(x.key) < bare(y.key); };
    if (field.is_map()) std::sort(node.items.begin(), node.items.end(), before);
    return node;
  }

  std::string MapKey(const Message& entry) const {
    const FieldDescriptor& key = *entry.GetDescriptor()->map_key();
    if (key.cpp_type() == FieldDescriptor::CPPTYPE_STRING) return Single(entry, key, -1).text;
    std::string text = Single(entry, key, -1).text;
    return is_json_ && text[0] != '"' ? absl::StrCat("\"", text, "\"") : text;
  }

  // One value: of a singular field (index -1), or element `index` of a repeated one.
  Node Single(const Message& message, const FieldDescriptor& field, int index) const {
    const Reflection& access = *message.GetReflection();
    const auto get = [&](auto single, auto repeated) {
      return index < 0 ? (access.*single)(message, &field) : (access.*repeated)(message, &field, index);
    };
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return Scalar(Number(get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble)));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return Scalar(Number(get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat)));
      case FieldDescriptor::CPPTYPE_INT32:
        return Scalar(absl::StrCat(get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32)));
      case FieldDescriptor::CPPTYPE_UINT32:
        return Scalar(absl::StrCat(get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32)));
      case FieldDescriptor::CPPTYPE_INT64:
        return Scalar(Wide(get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return Scalar(Wide(get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64)));
      case FieldDescriptor::CPPTYPE_BOOL:
        return Scalar(get(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false");
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int number = get(&Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
        const auto* value = field.enum_type()->FindValueByNumber(number);
        return Scalar(value == nullptr ? absl::StrCat(number) : Text(value->name()));
      }
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string text = get(&Reflection::GetString, &Reflection::GetRepeatedString);
        return Scalar(Text(field.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(text) : text));
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
    return Build(index < 0 ? access.GetMessage(message, &field) : access.GetRepeatedMessage(message, &field, index));
  }

  bool WellKnown(const Message& message, Node& node) const {
    if (const auto* value = dynamic_cast<const google::protobuf::Value*>(&message)) {
      node = BuildValue(*value);
    } else if (const auto* structure = dynamic_cast<const google::protobuf::Struct*>(&message)) {
      node = BuildField(*structure, *structure->GetDescriptor()->FindFieldByName("fields"));
    } else if (const auto* list = dynamic_cast<const google::protobuf::ListValue*>(&message)) {
      node = BuildField(*list, *list->GetDescriptor()->FindFieldByName("values"));
    } else if (const auto* duration = dynamic_cast<const google::protobuf::Duration*>(&message)) {
      node = Scalar(is_json_ ? JsonString(DurationText(*duration)) : DurationText(*duration));
    } else if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&message)) {
      node = Scalar(JsonString(TimestampText(*time)));
    } else if (message.GetDescriptor()->file() == google::protobuf::DoubleValue::descriptor()->file()) {
      node = Single(message, *message.GetDescriptor()->field(0), -1);
    } else {
      return false;
    }
    return true;
  }

  Node BuildValue(const google::protobuf::Value& value) const {
    switch (value.kind_case()) {
      case google::protobuf::Value::kNumberValue:
        return Scalar(Number(value.number_value()));
      case google::protobuf::Value::kStringValue:
        return Scalar(Text(value.string_value()));
      case google::protobuf::Value::kBoolValue:
        return Scalar(value.bool_value() ? "true" : "false");
      case google::protobuf::Value::kStructValue:
        return Build(value.struct_value());
      case google::protobuf::Value::kListValue:
        return Build(value.list_value());
      case google::protobuf::Value::kNullValue:
      case google::protobuf::Value::KIND_NOT_SET:
        break;
    }
    return Scalar("null");
  }

  const bool is_json_;
};

std::string OneLine(const Node& node) {
  if (node.kind == Node::Kind::kScalar) return node.text;
  const bool is_map = node.kind == Node::Kind::kMap;
  return absl::StrCat(is_map ? "{" : "[",
                      absl::StrJoin(node.items, ", ",
                                    [&](std::string* out, const auto& item) {
                                      absl::StrAppend(out, item.key, is_map ? ": " : "", OneLine(item.node));
                                    }),
                      is_map ? "}" : "]");
}

void WriteJson(const Node& node, size_t indent, std::string& out) {
  if (node.kind == Node::Kind::kScalar || node.items.empty()) {
    out += OneLine(node);
    return;
  }
  const bool is_map = node.kind == Node::Kind::kMap;
  out += is_map ? "{" : "[";
  const char* separator = "\n";
  for (const auto& [key, item] : node.items) {
    absl::StrAppend(&out, separator, std::string(indent + 2, ' '), key, is_map ? ": " : "");
    WriteJson(item, indent + 2, out);
    separator = ",\n";
  }
  absl::StrAppend(&out, "\n", std::string(indent, ' '), is_map ? "}" : "]");
}

// Whether the node stands behind its key or dash, which end at `column`.
bool FitsLine(const Node& node, size_t column) {
  if (node.kind == Node::Kind::kScalar || node.items.empty()) return true;
  return column + OneLine(node).size() <= kLineWidth;
}

// Writes the entries of a list or map, each on lines of its own. The first one begins where `out` ends.
void WriteYaml(const Node& node, size_t indent, std::string& out) {
  const bool is_map = node.kind == Node::Kind::kMap;
  bool is_first = true;
  for (const auto& [key, item] : node.items) {
    if (!is_first) out += std::string(indent, ' ');
    is_first = false;
    out += is_map ? absl::StrCat(key, ":") : "-";
    if (FitsLine(item, indent + key.size() + 2)) {
      absl::StrAppend(&out, " ", OneLine(item), "\n");
    } else if (!is_map) {
      out += " ";
      WriteYaml(item, indent + 2, out);
    } else {
      const size_t inner = item.kind == Node::Kind::kList ? indent : indent + 2;
      absl::StrAppend(&out, "\n", std::string(inner, ' '));
      WriteYaml(item, inner, out);
    }
  }
}

}  // namespace

std::string ToYaml(const Message& message) {
  const Node node = Builder(/*is_json=*/false).Build(message);
  if (node.kind == Node::Kind::kScalar || node.items.empty()) return OneLine(node) + "\n";
  std::string out;
  WriteYaml(node, 0, out);
  return out;
}

std::string ToJson(const Message& message, JsonLayout layout) {
  const Node node = Builder(/*is_json=*/true).Build(message);
  if (layout == JsonLayout::kOneLine) return OneLine(node);
  std::string out;
  WriteJson(node, 0, out);
  return out + "\n";
}

}  // namespace tuner::job_file
