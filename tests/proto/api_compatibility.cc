#include "tests/proto/api_compatibility.h"

#include <map>

#include "absl/strings/str_cat.h"

namespace tuner::testing {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::MethodDescriptorProto;
using google::protobuf::ServiceDescriptorProto;

// Everything with a full name, so that moving a message to another file is no change.
struct Names {
  std::map<std::string, const DescriptorProto*> messages;
  std::map<std::string, const EnumDescriptorProto*> enums;
  std::map<std::string, const ServiceDescriptorProto*> services;

  explicit Names(const FileDescriptorSet& files) {
    for (const auto& file : files.file()) {
      for (const auto& message : file.message_type()) Add(file.package(), message);
      for (const auto& type : file.enum_type()) enums[absl::StrCat(file.package(), ".", type.name())] = &type;
      for (const auto& service : file.service()) services[absl::StrCat(file.package(), ".", service.name())] = &service;
    }
  }

 private:
  void Add(const std::string& scope, const DescriptorProto& message) {
    const std::string name = absl::StrCat(scope, ".", message.name());
    messages[name] = &message;
    for (const auto& nested : message.nested_type()) Add(name, nested);
    for (const auto& type : message.enum_type()) enums[absl::StrCat(name, ".", type.name())] = &type;
  }
};

template <typename Items, typename Key>
auto FindBy(const Items& items, const Key& key) -> const typename Items::value_type* {
  for (const auto& item : items) {
    if (key(item)) return &item;
  }
  return nullptr;
}

// The oneof that a field is in, "" if in none; an optional field's own one is none.
std::string OneofOf(const DescriptorProto& message, const FieldDescriptorProto& field) {
  return field.has_oneof_index() && !field.proto3_optional() ? message.oneof_decl(field.oneof_index()).name() : "";
}

class Comparer {
 public:
  std::vector<std::string> Compare(const FileDescriptorSet& released, const FileDescriptorSet& present) {
    const Names before(released), now(present);
    Each(before.messages, now.messages, "message",
         [this](const auto& name, const auto& a, const auto& b) { CompareMessage(name, a, b); });
    Each(before.enums, now.enums, "enum",
         [this](const auto& name, const auto& a, const auto& b) { CompareEnum(name, a, b); });
    Each(before.services, now.services, "service",
         [this](const auto& name, const auto& a, const auto& b) { CompareService(name, a, b); });
    return std::move(breaks_);
  }

 private:
  template <typename Map, typename Function>
  void Each(const Map& before, const Map& now, const char* what, const Function& compare) {
    for (const auto& [name, released] : before) {
      const auto present = now.find(name);
      if (present == now.end()) {
        Add(name, absl::StrCat("the ", what, " is missing"));
      } else {
        compare(name, *released, *present->second);
      }
    }
  }

  void Add(const std::string& where, const std::string& text) { breaks_.push_back(absl::StrCat(where, ": ", text)); }

  void CompareMessage(const std::string& name, const DescriptorProto& released, const DescriptorProto& present) {
    if (released.options().map_entry() != present.options().map_entry())
      Add(name, "became or ceased to be a map's entry");
    for (const FieldDescriptorProto& field : released.field()) {
      const std::string where = absl::StrCat(name, ".", field.name());
      const auto* same = FindBy(present.field(), [&](const auto& other) { return other.number() == field.number(); });
      const auto* named = FindBy(present.field(), [&](const auto& other) { return other.name() == field.name(); });
      if (same != nullptr && same->name() != field.name()) {
        Add(where, absl::StrCat("field ", field.number(), " is now called ", same->name()));
      } else if (same == nullptr) {
        Add(where, named == nullptr ? "the field is missing"
                                    : absl::StrCat("field ", field.number(), " now has number ", named->number()));
      } else {
        CompareField(where, released, field, present, *same);
      }
    }
    for (const FieldDescriptorProto& field : present.field()) {
      const auto* range = FindBy(released.reserved_range(), [&](const auto& r) {
        return r.start() <= field.number() && field.number() < r.end();
      });
      if (range != nullptr)
        Add(absl::StrCat(name, ".", field.name()),
            absl::StrCat("uses number ", field.number(), ", which was reserved"));
    }
  }

  void CompareField(const std::string& where, const DescriptorProto& released_in, const FieldDescriptorProto& released,
                    const DescriptorProto& present_in, const FieldDescriptorProto& present) {
    if (released.type() != present.type() || released.type_name() != present.type_name())
      Add(where, "has another type");
    if (released.label() != present.label()) Add(where, "has another label");
    if (released.proto3_optional() != present.proto3_optional()) Add(where, "gained or lost its presence");
    if (OneofOf(released_in, released) != OneofOf(present_in, present)) Add(where, "is in another oneof");
  }

  void CompareEnum(const std::string& name, const EnumDescriptorProto& released, const EnumDescriptorProto& present) {
    for (const auto& value : released.value()) {
      const auto* named = FindBy(present.value(), [&](const auto& other) { return other.name() == value.name(); });
      if (named == nullptr) {
        Add(absl::StrCat(name, ".", value.name()), "the value is missing");
      } else if (named->number() != value.number()) {
        Add(absl::StrCat(name, ".", value.name()),
            absl::StrCat("was ", value.number(), " and is now ", named->number()));
      }
    }
  }

  void CompareService(const std::string& name, const ServiceDescriptorProto& released,
                      const ServiceDescriptorProto& present) {
    for (const MethodDescriptorProto& method : released.method()) {
      const std::string where = absl::StrCat(name, ".", method.name());
      const auto* same = FindBy(present.method(), [&](const auto& other) { return other.name() == method.name(); });
      if (same == nullptr) {
        Add(where, "the method is missing");
        continue;
      }
      if (same->input_type() != method.input_type()) Add(where, "takes another request");
      if (same->output_type() != method.output_type()) Add(where, "gives another answer");
      if (same->client_streaming() != method.client_streaming() ||
          same->server_streaming() != method.server_streaming()) {
        Add(where, "began or ceased to stream");
      }
    }
  }

  std::vector<std::string> breaks_;
};

}  // namespace

std::vector<std::string> FindBreaks(const FileDescriptorSet& released, const FileDescriptorSet& present) {
  return Comparer().Compare(released, present);
}

}  // namespace tuner::testing
