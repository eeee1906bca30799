#include "tuner/server/components.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "strategies/strategy.h"
#include "tuner/server/option_texts.h"

namespace tuner::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string TypeName(const FieldDescriptor& field) {
  std::string name = field.type_name();
  if (field.is_map()) {
    name = std::string("map<") + field.message_type()->map_key()->type_name() + ", " +
           field.message_type()->map_value()->type_name() + ">";
  } else if (field.is_repeated()) {
    name = "repeated " + name;
  }
  return name;
}

v1::OptionInfo OptionOf(const FieldDescriptor& field) {
  v1::OptionInfo out;
  out.set_name(field.name());
  out.set_type(TypeName(field));
  if (const OptionText* text = FindOptionText(field.full_name())) {
    out.set_default_value(std::string(text->default_value));
    out.set_description(std::string(text->description));
    out.set_required(text->required);
  }
  if (const google::protobuf::EnumDescriptor* values = field.enum_type()) {
    for (int i = 1; i < values->value_count(); ++i) out.add_enum_values(values->value(i)->name());
  }
  return out;
}

// One entry per arm of the oneof that the API has for these components.
std::vector<v1::ComponentInfo> Arms(const Descriptor& type, const char* oneof) {
  std::vector<v1::ComponentInfo> out;
  const google::protobuf::OneofDescriptor& arms = *type.FindOneofByName(oneof);
  for (int i = 0; i < arms.field_count(); ++i) {
    const FieldDescriptor& arm = *arms.field(i);
    v1::ComponentInfo info;
    info.set_name(arm.name());
    if (const OptionText* text = FindOptionText(arm.full_name())) info.set_description(std::string(text->description));
    for (int k = 0; k < arm.message_type()->field_count(); ++k) {
      *info.add_options() = OptionOf(*arm.message_type()->field(k));
    }
    info.set_unavailable_reason(arm.name() == "custom" ? "nothing is linked into this server under a name of its own"
                                                       : "this version does not serve it");
    out.push_back(std::move(info));
  }
  return out;
}

void SetAvailable(v1::ComponentInfo& info, std::string_view description) {
  info.set_available(true);
  info.set_description(std::string(description));
  info.clear_unavailable_reason();
}

void AddCapabilities(const executors::Capabilities& has, v1::ComponentInfo& info) {
  const std::pair<bool, const char*> names[] = {
      {has.survives_server, "survives_server"},
      {has.scans_output, "scans_output"},
      {has.enforces_time_limit, "enforces_time_limit"},
      {has.reports_resources, "reports_resources"},
      {has.has_logs, "has_logs"},
      {has.is_external, "is_external"},
  };
  for (const auto& [holds, name] : names) {
    if (holds) info.add_capabilities(name);
  }
}

}  // namespace

std::vector<v1::ComponentInfo> StrategyInfos() {
  std::vector<v1::ComponentInfo> infos = Arms(*v1::Strategy::descriptor(), "strategy");
  for (v1::ComponentInfo& info : infos) {
    if (const strategies::StrategyKind* kind = strategies::FindStrategyKind(info.name()))
      SetAvailable(info, kind->description);
  }
  return infos;
}

std::vector<v1::ComponentInfo> ExecutorInfos(const executors::ExecutorRegistry& kinds,
                                             const absl::flat_hash_map<std::string, executors::Capabilities>& made,
                                             const absl::flat_hash_map<std::string, std::string>& missing) {
  std::vector<v1::ComponentInfo> infos = Arms(*v1::Executor::descriptor(), "executor");
  for (const executors::ExecutorKind& kind : kinds.kinds()) {
    if (v1::Executor::descriptor()->FindFieldByName(kind.name) == nullptr) infos.emplace_back().set_name(kind.name);
  }
  for (v1::ComponentInfo& info : infos) {
    const executors::ExecutorKind* kind = kinds.Find(info.name());
    if (kind == nullptr) continue;
    SetAvailable(info, kind->description);
    if (const auto found = made.find(info.name()); found != made.end()) {
      AddCapabilities(found->second, info);
      info.set_unavailable_reason(kind->missing());
    } else {
      info.set_available(false);
      const auto why = missing.find(info.name());
      info.set_unavailable_reason(why == missing.end() ? kind->missing() : why->second);
      if (info.unavailable_reason().empty()) info.set_unavailable_reason("this server was started without it");
    }
  }
  return infos;
}

std::vector<v1::ComponentInfo> EarlyStoppingRuleInfos() {
  std::vector<v1::ComponentInfo> infos = Arms(*v1::EarlyStopping::descriptor(), "rule");
  for (v1::ComponentInfo& info : infos) {
    if (info.name() == "custom") continue;
    info.set_available(true);
    info.clear_unavailable_reason();
  }
  return infos;
}

}  // namespace tuner::server
