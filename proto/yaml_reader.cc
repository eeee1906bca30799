#include "proto/yaml_reader.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "proto/job_file.h"
#include "proto/yaml_scalars.h"

namespace tuner::job_file {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  if (const FieldDescriptor* field = type.FindFieldByName(name)) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) return type.field(i);
  }
  return nullptr;
}

std::string UnknownField(const Descriptor& type, const std::string& name) {
  if (name == "<<") return "merge keys are not read; write the fields out, or use an alias for a whole value";
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  if (names.empty()) return "is no field: nothing can be said here; write {}";
  const std::string nearest = Nearest(name, names);
  return nearest.empty() ? absl::StrCat("is no field here; there are ", absl::StrJoin(names, ", "))
                         : absl::StrCat("is no field here; do you mean ", nearest, "?");
}

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

void SetDuration(absl::Duration from, google::protobuf::Duration& to) {
  absl::Duration rest;
  to.set_seconds(absl::IDivDuration(from, absl::Seconds(1), &rest));
  to.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

// Rounds seconds down, as Timestamp wants it.
void SetTime(absl::Time from, google::protobuf::Timestamp& to) {
  to.set_seconds(absl::ToUnixSeconds(from));
  to.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(from - absl::FromUnixSeconds(to.seconds()))));
}

}  // namespace

bool IsQuoted(const YAML::Node& node) { return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str"; }

void YamlReader::ReadRoot(const YAML::Node& root, Message& message) {
  if (!root.IsDefined() || root.IsNull()) return;
  ReadMessage(root, "", 0, message);
}

absl::Status YamlReader::status() const {
  if (problems_.empty()) return absl::OkStatus();
  std::string text = absl::StrJoin(problems_, "\n");
  if (left_out_ > 0) absl::StrAppend(&text, "\nand ", left_out_, " more");
  return absl::InvalidArgumentError(text);
}

void YamlReader::Add(const YAML::Node& node, const std::string& path, absl::string_view text) {
  if (problems_.size() >= kMaxProblems) {
    ++left_out_;
    return;
  }
  const std::string line = absl::StrCat("line ", node.Mark().line + 1, ": ");
  problems_.push_back(path.empty() ? absl::StrCat(line, text) : absl::StrCat(line, path, ": ", text));
}

bool YamlReader::Enter(const YAML::Node& node, const std::string& path, int depth) {
  constexpr size_t kNodeSize = 64;
  if (is_over_) return false;
  size_ += kNodeSize + (node.IsScalar() ? node.Scalar().size() : 0);
  if (size_ > kMaxExpandedSize) {
    is_over_ = true;
    Add(node, path,
        absl::StrCat("the text is too large: more than ", kMaxExpandedSize >> 20, " MiB with its aliases expanded"));
    return false;
  }
  if (depth > kMaxDepth) {
    Add(node, path, absl::StrCat("lists and maps are more than ", kMaxDepth, " levels deep"));
    return false;
  }
  return true;
}

bool YamlReader::Text(const YAML::Node& node, const std::string& path, absl::string_view due, std::string& text) {
  if (!node.IsScalar()) {
    Add(node, path,
        absl::StrCat("is ",
                     node.IsSequence() ? "a list"
                     : node.IsMap()    ? "a map"
                                       : "null",
                     "; write ", due, node.IsNull() ? ", in quotes if text is meant" : ""));
    return false;
  }
  text = node.Scalar();
  return true;
}

bool YamlReader::Key(const YAML::Node& key, const std::string& path, absl::flat_hash_set<std::string>& seen,
                     std::string& text) {
  if (!Text(key, path, "a name in the place of the key", text)) return false;
  if (seen.insert(text).second) return true;
  Add(key, Join(path, text), "is there twice; keep one");
  return false;
}

template <typename T>
std::optional<T> YamlReader::Checked(const YAML::Node& node, const std::string& path, absl::StatusOr<T> read) {
  if (read.ok()) return *std::move(read);
  Add(node, path, read.status().message());
  return std::nullopt;
}

void YamlReader::ReadMessage(const YAML::Node& node, const std::string& path, int depth, Message& message) {
  if (!Enter(node, path, depth) || ReadWellKnown(node, path, depth, message)) return;
  if (!node.IsMap()) {
    const bool has_fields = message.GetDescriptor()->field_count() > 0;
    Add(node, path,
        absl::StrCat("is ", node.IsSequence() ? "a list" : Quoted(node.Scalar()), "; write ",
                     has_fields ? "a map of fields" : "{}"));
    return;
  }
  ReadFields(node, path, depth, message);
}

void YamlReader::ReadFields(const YAML::Node& node, const std::string& path, int depth, Message& message) {
  absl::flat_hash_set<std::string> seen;
  absl::flat_hash_map<const google::protobuf::OneofDescriptor*, const FieldDescriptor*> chosen;
  for (const auto& entry : node) {
    std::string name;
    if (!Key(entry.first, path, seen, name)) continue;
    const FieldDescriptor* field = FindField(*message.GetDescriptor(), name);
    if (field == nullptr) {
      Add(entry.first, Join(path, name), UnknownField(*message.GetDescriptor(), name));
      continue;
    }
    const std::string field_path = Join(path, field->name());
    if (name != field->name() && !seen.insert(field->name()).second) {
      Add(entry.first, field_path, "is there twice, in both spellings; keep one");
      continue;
    }
    const bool is_value =
        field->message_type() != nullptr && field->message_type()->full_name() == "google.protobuf.Value";
    if (entry.second.IsNull() && (field->is_repeated() || !is_value)) continue;
    if (const auto* oneof = field->real_containing_oneof()) {
      const auto [other, is_first] = chosen.emplace(oneof, field);
      if (!is_first) {
        Add(entry.first, field_path, absl::StrCat("stands beside ", other->second->name(), "; keep one of the two"));
        continue;
      }
    }
    ReadField(entry.second, field_path, depth, *field, message);
  }
}

void YamlReader::ReadField(const YAML::Node& node, const std::string& path, int depth, const Field& field,
                           Message& message) {
  if (field.is_map()) return ReadMap(node, path, depth + 1, field, message);
  if (field.is_repeated()) return ReadList(node, path, depth + 1, field, message);
  if (field.message_type() != nullptr) {
    return ReadMessage(node, path, depth + 1, *message.GetReflection()->MutableMessage(&message, &field));
  }
  if (Enter(node, path, depth + 1)) ReadScalar(node, path, field, message);
}

void YamlReader::ReadList(const YAML::Node& node, const std::string& path, int depth, const Field& field,
                          Message& message) {
  message.GetReflection()->ClearField(&message, &field);
  if (!Enter(node, path, depth)) return;
  if (!node.IsSequence()) {
    Add(node, path, absl::StrCat("is ", node.IsMap() ? "a map" : Quoted(node.Scalar()), "; write a list"));
    return;
  }
  int index = 0;
  for (const YAML::Node& item : node) {
    const std::string item_path = absl::StrCat(path, "[", index++, "]");
    if (field.message_type() == nullptr) {
      if (Enter(item, item_path, depth + 1)) ReadScalar(item, item_path, field, message);
    } else if (item.IsNull() && field.message_type()->full_name() != "google.protobuf.Value") {
      Add(item, item_path, "is null; write a map of fields");
    } else {
      ReadMessage(item, item_path, depth + 1, *message.GetReflection()->AddMessage(&message, &field));
    }
    if (is_over_) return;
  }
}

void YamlReader::ReadMap(const YAML::Node& node, const std::string& path, int depth, const Field& field,
                         Message& message) {
  message.GetReflection()->ClearField(&message, &field);
  if (!Enter(node, path, depth)) return;
  if (!node.IsMap()) {
    Add(node, path, absl::StrCat("is ", node.IsSequence() ? "a list" : Quoted(node.Scalar()), "; write a map"));
    return;
  }
  const Field& key_field = *field.message_type()->map_key();
  const Field& value_field = *field.message_type()->map_value();
  absl::flat_hash_set<std::string> seen;
  for (const auto& item : node) {
    std::string key;
    if (!Key(item.first, path, seen, key)) continue;
    const std::string item_path = Join(path, key);
    Message& entry = *message.GetReflection()->AddMessage(&message, &field);
    ReadScalar(item.first, item_path, key_field, entry);
    if (value_field.message_type() != nullptr) {
      ReadMessage(item.second, item_path, depth + 1, *entry.GetReflection()->MutableMessage(&entry, &value_field));
    } else if (Enter(item.second, item_path, depth + 1)) {
      ReadScalar(item.second, item_path, value_field, entry);
    }
    if (is_over_) return;
  }
}

void YamlReader::ReadScalar(const YAML::Node& node, const std::string& path, const Field& field, Message& message) {
  const google::protobuf::Reflection& access = *message.GetReflection();
  const auto put = [&](auto value, auto set, auto add) {
    if (!value) return;
    if (field.is_repeated()) {
      (access.*add)(&message, &field, *std::move(value));
    } else {
      (access.*set)(&message, &field, *std::move(value));
    }
  };
  using R = google::protobuf::Reflection;
  std::string text;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_STRING:
      if (!Text(node, path, "text", text)) return;
      if (field.type() == Field::TYPE_BYTES) {
        std::string bytes;
        if (!absl::Base64Unescape(text, &bytes)) return Add(node, path, "is no base64");
        text = std::move(bytes);
      }
      return put(std::optional(std::move(text)), &R::SetString, &R::AddString);
    case Field::CPPTYPE_DOUBLE:
      if (Text(node, path, "a number", text)) put(Checked(node, path, ReadDouble(text)), &R::SetDouble, &R::AddDouble);
      return;
    case Field::CPPTYPE_FLOAT:
      if (Text(node, path, "a number", text)) put(Checked(node, path, ReadDouble(text)), &R::SetFloat, &R::AddFloat);
      return;
    case Field::CPPTYPE_INT32:
      if (Text(node, path, "a whole number", text))
        put(Checked(node, path, ReadInt32(text)), &R::SetInt32, &R::AddInt32);
      return;
    case Field::CPPTYPE_INT64:
      if (Text(node, path, "a whole number", text))
        put(Checked(node, path, ReadInt64(text)), &R::SetInt64, &R::AddInt64);
      return;
    case Field::CPPTYPE_UINT32:
      if (Text(node, path, "a whole number", text))
        put(Checked(node, path, ReadUint32(text)), &R::SetUInt32, &R::AddUInt32);
      return;
    case Field::CPPTYPE_UINT64:
      if (Text(node, path, "a whole number", text))
        put(Checked(node, path, ReadUint64(text)), &R::SetUInt64, &R::AddUInt64);
      return;
    case Field::CPPTYPE_BOOL:
      if (Text(node, path, "true or false", text)) put(Checked(node, path, ReadBool(text)), &R::SetBool, &R::AddBool);
      return;
    case Field::CPPTYPE_ENUM:
      if (Text(node, path, "one of its names", text)) {
        put(Checked(node, path, ReadEnum(text, *field.enum_type())), &R::SetEnumValue, &R::AddEnumValue);
      }
      return;
    case Field::CPPTYPE_MESSAGE:
      return;  // not a scalar; ReadMessage has it
  }
}

bool YamlReader::ReadWellKnown(const YAML::Node& node, const std::string& path, int depth, Message& message) {
  std::string text;
  if (auto* value = dynamic_cast<google::protobuf::Value*>(&message)) {
    ReadValue(node, path, depth, *value);
  } else if (auto* structure = dynamic_cast<google::protobuf::Struct*>(&message)) {
    ReadStruct(node, path, depth, *structure);
  } else if (auto* list = dynamic_cast<google::protobuf::ListValue*>(&message)) {
    const Field& values = *list->GetDescriptor()->FindFieldByName("values");
    ReadList(node, path, depth, values, *list);
  } else if (auto* duration = dynamic_cast<google::protobuf::Duration*>(&message)) {
    if (!Text(node, path, "a time with its unit, as 90s", text)) return true;
    if (const auto read = Checked(node, path, ParseDuration(text))) SetDuration(*read, *duration);
  } else if (auto* timestamp = dynamic_cast<google::protobuf::Timestamp*>(&message)) {
    if (!Text(node, path, "a time as 2025-01-31T12:00:00Z", text)) return true;
    if (const auto read = Checked(node, path, ReadTime(text))) SetTime(*read, *timestamp);
  } else if (message.GetDescriptor()->file() == google::protobuf::DoubleValue::descriptor()->file()) {
    ReadScalar(node, path, *message.GetDescriptor()->field(0), message);  // the wrappers
  } else {
    return false;
  }
  return true;
}

void YamlReader::ReadValue(const YAML::Node& node, const std::string& path, int depth, google::protobuf::Value& value) {
  if (node.IsNull()) {
    value.set_null_value(google::protobuf::NULL_VALUE);
  } else if (node.IsMap()) {
    ReadStruct(node, path, depth, *value.mutable_struct_value());
  } else if (node.IsSequence()) {
    ReadWellKnown(node, path, depth, *value.mutable_list_value());
  } else if (const std::string& text = node.Scalar(); IsQuoted(node)) {
    value.set_string_value(text);
  } else if (text == "true" || text == "false") {
    value.set_bool_value(text == "true");
  } else if (IsJsonNumber(text)) {
    if (const auto number = Checked(node, path, ReadDouble(text))) value.set_number_value(*number);
  } else {
    value.set_string_value(text);
  }
}

void YamlReader::ReadStruct(const YAML::Node& node, const std::string& path, int depth,
                            google::protobuf::Struct& value) {
  ReadMap(node, path, depth, *value.GetDescriptor()->FindFieldByName("fields"), value);
}

}  // namespace tuner::job_file
