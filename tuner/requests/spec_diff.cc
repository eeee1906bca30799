#include "tuner/requests/spec_diff.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/json_util.h"
#include "proto/convert.h"
#include "tuner/requests/field_order.h"
#include "tuner/requests/job_builder.h"

namespace tuner::requests {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Leaves = std::map<std::string, std::string>;  // JSON by path

std::string Json(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "null";
  // Escaped for web pages, which this is not for. Pairs of backslashes are passed over.
  return absl::StrReplaceAll(json, {{"\\\\", "\\\\"}, {"\\u003c", "<"}, {"\\u003e", ">"}});
}

// A field that is no message; `index` is -1 unless it is repeated. The schema has no other kinds of fields.
std::string FieldJson(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& from = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      google::protobuf::Value value;
      value.set_string_value(index < 0 ? from.GetString(message, field)
                                       : from.GetRepeatedString(message, field, index));
      return Json(value);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      google::protobuf::Value value;
      value.set_number_value(index < 0 ? from.GetDouble(message, field)
                                       : from.GetRepeatedDouble(message, field, index));
      const std::string json = Json(value);
      return json == "null" ? absl::StrCat(value.number_value()) : json;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return from.GetBool(message, field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(from.GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(from.GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat(
          "\"", index < 0 ? from.GetEnum(message, field)->name() : from.GetRepeatedEnum(message, field, index)->name(),
          "\"");
    default:
      return "null";
  }
}

bool IsLeaf(const Message& message) {
  return message.GetDescriptor()->file()->package() == "google.protobuf" || message.ByteSizeLong() == 0;
}

void AddLeaves(const Message& message, const std::string& prefix, Leaves& leaves);

void AddMessage(const Message& message, const std::string& path, Leaves& leaves) {
  if (IsLeaf(message)) {
    leaves[path] = Json(message);
  } else {
    AddLeaves(message, absl::StrCat(path, "."), leaves);
  }
}

void AddMapEntry(const Message& entry, const std::string& path, Leaves& leaves) {
  const FieldDescriptor* key = entry.GetDescriptor()->map_key();
  const FieldDescriptor* value = entry.GetDescriptor()->map_value();
  const std::string name = absl::StrCat(path, ".", entry.GetReflection()->GetString(entry, key));
  if (value->message_type() != nullptr) {
    AddMessage(entry.GetReflection()->GetMessage(entry, value), name, leaves);
  } else {
    leaves[name] = FieldJson(entry, value, -1);
  }
}

void AddLeaves(const Message& message, const std::string& prefix, Leaves& leaves) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string path = absl::StrCat(prefix, field->name());
    if (!field->is_repeated()) {
      if (field->message_type() != nullptr) {
        AddMessage(reflection.GetMessage(message, field), path, leaves);
      } else {
        leaves[path] = FieldJson(message, field, -1);
      }
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      const std::string entry = absl::StrCat(path, "[", i, "]");
      if (field->is_map()) {
        AddMapEntry(reflection.GetRepeatedMessage(message, field, i), path, leaves);
      } else if (field->message_type() != nullptr) {
        AddMessage(reflection.GetRepeatedMessage(message, field, i), entry, leaves);
      } else {
        leaves[entry] = FieldJson(message, field, i);
      }
    }
  }
}

// What the server found when it created the job is nobody's wish.
void ForgetArtifacts(v1::TrialTemplate& trial) {
  for (v1::Channel& channel : *trial.mutable_inputs()) channel.clear_artifact_path();
}

}  // namespace

std::vector<SpecDifference> DiffSpecs(absl::Span<const v1::TuningJobSpec* const> specs) {
  std::map<std::pair<FieldOrderKey, std::string>, std::vector<std::string>> values;  // by place, then path
  for (size_t i = 0; i < specs.size(); ++i) {
    Leaves leaves;
    AddLeaves(*specs[i], "", leaves);
    for (auto& [path, json] : leaves) {
      std::vector<std::string>& row = values[{FieldOrder(path), path}];
      row.resize(specs.size());
      row[i] = std::move(json);
    }
  }
  std::vector<SpecDifference> differences;
  for (auto& [place, row] : values) {
    bool same = true;
    for (const std::string& value : row) same = same && value == row.front();
    if (!same) differences.push_back({place.second, std::move(row)});
  }
  return differences;
}

std::vector<SpecDifference> DiffSpecs(const v1::TuningJobSpec& a, const v1::TuningJobSpec& b) {
  const v1::TuningJobSpec* const both[] = {&a, &b};
  return DiffSpecs(both);
}

std::vector<SpecDifference> DiffFromStored(const v1::TuningJobSpec& stored, const v1::TuningJobSpec& requested,
                                           const std::string& base_dir) {
  v1::TuningJobSpec wanted = requested;
  if (!wanted.strategy().has_random_seed() && stored.strategy().has_random_seed()) {
    wanted.mutable_strategy()->set_random_seed(stored.strategy().random_seed());
  }
  convert::ParsedSpec parsed = convert::SpecFromProto(wanted, base_dir);
  if (parsed.problems.empty() && parsed.unimplemented.empty()) {
    ResolveStrategy(parsed.spec);
    wanted = convert::ResolveSpec(wanted, parsed.spec);
  }
  v1::TuningJobSpec had = stored;
  for (v1::TuningJobSpec* spec : {&had, &wanted}) {
    for (v1::TrainingDefinition& definition : *spec->mutable_definitions()) {
      if (definition.has_trial()) ForgetArtifacts(*definition.mutable_trial());
    }
    if (spec->has_trial()) ForgetArtifacts(*spec->mutable_trial());
  }
  had.clear_limits();
  wanted.clear_limits();
  return DiffSpecs(had, wanted);
}

}  // namespace tuner::requests
