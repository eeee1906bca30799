#include "proto/set_field.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/job_file.h"

namespace tuner::job_file {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* FieldNamed(const Descriptor& type, const std::string& name) {
  if (const FieldDescriptor* field = type.FindFieldByName(name)) return field;
  return type.FindFieldByCamelcaseName(name);
}

absl::Status Problem(absl::string_view path, absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", text));
}

// One step of a path: a name, and the number of an entry if it has one.
struct PathStep {
  std::string name;
  std::optional<int> index;
};

absl::StatusOr<PathStep> ReadStep(absl::string_view text, absl::string_view path) {
  PathStep step;
  const size_t bracket = text.find('[');
  step.name = std::string(text.substr(0, bracket));
  if (step.name.empty())
    return Problem(path, "is no path of a field; write names with dots between, as in limits.max_trials");
  if (bracket == absl::string_view::npos) return step;
  int index = 0;
  absl::string_view number = text.substr(bracket + 1);
  if (!absl::ConsumeSuffix(&number, "]") || !absl::SimpleAtoi(number, &index) || index < 0) {
    return Problem(path, absl::StrCat("\"", text, "\" is no entry of a list; write it as in parameters[0]"));
  }
  step.index = index;
  return step;
}

// Reads the document into a new message like `like`; problems are told by their whole path.
absl::StatusOr<std::unique_ptr<Message>> ReadDocument(const std::string& yaml, const std::string& holder,
                                                      const Message& like) {
  std::unique_ptr<Message> fresh(like.New());
  const absl::Status status = MergeYaml(yaml, fresh.get());
  if (status.ok()) return fresh;
  std::string text;
  for (absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    if (absl::ConsumePrefix(&line, "line ")) line.remove_prefix(std::min(line.find(": ") + 2, line.size()));
    absl::StrAppend(&text, text.empty() ? "" : "\n", holder, line);
  }
  return absl::InvalidArgumentError(text);
}

class Setter {
 public:
  Setter(absl::string_view path, absl::string_view value) : path_(path), value_(value) {}

  absl::Status Set(Message& message) {
    Message* at = &message;
    absl::string_view rest = path_;
    for (;;) {
      const size_t dot = rest.find('.');
      absl::StatusOr<PathStep> step = ReadStep(rest.substr(0, dot), path_);
      if (!step.ok()) return step.status();
      const FieldDescriptor* field = FieldNamed(*at->GetDescriptor(), step->name);
      // The reader knows what it might have been.
      if (field == nullptr) return ReadDocument(absl::StrCat(step->name, ": 0"), Holder(rest), *at).status();
      if (field->is_map() && dot != absl::string_view::npos)
        return SetEntry(*field, rest.substr(dot + 1), Holder(rest), *at);
      if (step->index && (!field->is_repeated() || field->is_map()))
        return Problem(path_, absl::StrCat(step->name, " is no list; leave out [", *step->index, "]"));
      if (dot == absl::string_view::npos) {
        return step->index ? SetElement(*field, *step->index, Holder(rest), *at) : Replace(*field, Holder(rest), *at);
      }
      at = Into(*field, step->index, *at);
      if (at == nullptr) return problem_;
      rest.remove_prefix(dot + 1);
    }
  }

 private:
  // What stands before `rest` in the path.
  std::string Holder(absl::string_view rest) const { return std::string(path_.substr(0, path_.size() - rest.size())); }

  Message* Fail(std::string text) {
    problem_ = Problem(path_, text);
    return nullptr;
  }

  Message* Into(const FieldDescriptor& field, std::optional<int> index, Message& message) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return Fail(absl::StrCat(field.name(), " is a value and has no fields; end the path there"));
    }
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    if (!field.is_repeated()) return reflection.MutableMessage(&message, &field);
    const int size = reflection.FieldSize(message, &field);
    if (!index)
      return Fail(
          absl::StrCat(field.name(), " is a list; name one of its ", size, " entries, as in ", field.name(), "[0]"));
    if (*index >= size)
      return Fail(absl::StrCat(field.name(), " has ", size, " entries, the first is ", field.name(), "[0]"));
    return reflection.MutableRepeatedMessage(&message, &field, *index);
  }

  absl::Status Replace(const FieldDescriptor& field, const std::string& holder, Message& message) {
    const auto fresh = ReadDocument(absl::StrCat(field.name(), ": ", value_), holder, message);
    if (!fresh.ok()) return fresh.status();
    message.GetReflection()->ClearField(&message, &field);
    message.MergeFrom(**fresh);
    return absl::OkStatus();
  }

  // Keys may hold dots: the rest of the path is one.
  absl::Status SetEntry(const FieldDescriptor& field, absl::string_view key, const std::string& holder,
                        Message& message) {
    const std::string entry = absl::StrCat(field.name(), ":\n  \"", absl::CEscape(key), "\": ", value_);
    const auto fresh = ReadDocument(entry, holder, message);
    if (!fresh.ok()) return fresh.status();
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    const FieldDescriptor& name = *field.message_type()->map_key();
    for (int i = reflection.FieldSize(message, &field); i-- > 0;) {
      const Message& old = reflection.GetRepeatedMessage(message, &field, i);
      if (name.cpp_type() != FieldDescriptor::CPPTYPE_STRING || old.GetReflection()->GetString(old, &name) != key)
        continue;
      reflection.SwapElements(&message, &field, i, reflection.FieldSize(message, &field) - 1);
      reflection.RemoveLast(&message, &field);
    }
    message.MergeFrom(**fresh);
    return absl::OkStatus();
  }

  absl::Status SetElement(const FieldDescriptor& field, int index, const std::string& holder, Message& message) {
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    if (index > size)
      return Problem(path_,
                     absl::StrCat(field.name(), " has ", size, " entries; the next is ", field.name(), "[", size, "]"));
    const bool is_removed = value_.empty() || value_ == "null" || value_ == "~";
    if (is_removed) {
      if (index == size) return Problem(path_, absl::StrCat("there is no such entry; ", field.name(), " has ", size));
      for (int i = index; i + 1 < size; ++i) reflection.SwapElements(&message, &field, i, i + 1);
      reflection.RemoveLast(&message, &field);
      return absl::OkStatus();
    }
    const auto fresh = ReadDocument(absl::StrCat(field.name(), ":\n- ", value_), holder, message);
    if (!fresh.ok()) return fresh.status();
    message.MergeFrom(**fresh);  // adds it as the last
    if (index == size) return absl::OkStatus();
    reflection.SwapElements(&message, &field, index, size);
    reflection.RemoveLast(&message, &field);
    return absl::OkStatus();
  }

  const absl::string_view path_;
  const absl::string_view value_;
  absl::Status problem_;
};

}  // namespace

absl::Status SetField(std::string_view path, std::string_view value, Message* message) {
  const absl::string_view name(path.data(), path.size());
  const absl::string_view text = absl::StripAsciiWhitespace(absl::string_view(value.data(), value.size()));
  if (absl::StrContains(text, '\n')) return Problem(name, "holds a line break; write the value on one line");
  const std::unique_ptr<Message> changed(message->New());
  changed->CopyFrom(*message);
  if (absl::Status status = Setter(name, text).Set(*changed); !status.ok()) return status;
  message->GetReflection()->Swap(message, changed.get());
  return absl::OkStatus();
}

}  // namespace tuner::job_file
