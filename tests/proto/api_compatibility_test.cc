// Clients and databases of the last release go on working: fields are added, and none is renamed, renumbered or
// changed.
#include "tests/proto/api_compatibility.h"

#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tuner/internal/v1/records.pb.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorSet;
using ::testing::ElementsAre;
using testing::FindBreaks;

FileDescriptorSet Released() {
  FileDescriptorSet files;
  std::ifstream in(TUNER_RELEASED_API, std::ios::binary);
  EXPECT_TRUE(in.good() && files.ParseFromIstream(&in)) << TUNER_RELEASED_API << " cannot be read";
  return files;
}

void AddFile(const FileDescriptor& file, std::set<std::string>& seen, FileDescriptorSet& files) {
  if (file.package() == "google.protobuf" || !seen.insert(file.name()).second) return;
  file.CopyTo(files.add_file());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), seen, files);
}

FileDescriptorSet Present() {
  FileDescriptorSet files;
  std::set<std::string> seen;
  AddFile(*v1::CreateTuningJobRequest::descriptor()->file(), seen, files);
  AddFile(*internal::v1::StoredTrial::descriptor()->file(), seen, files);
  return files;
}

TEST(ApiCompatibilityTest, NothingOfTheLastReleaseWasLost) {
  for (const std::string& text : FindBreaks(Released(), Present())) ADD_FAILURE() << text;
}

TEST(ApiCompatibilityTest, TheRecordedReleaseIsWhole) {
  const FileDescriptorSet files = Released();
  std::set<std::string> released;
  for (const auto& file : files.file()) released.insert(file.name());
  EXPECT_THAT(released,
              ElementsAre("tuner/internal/v1/records.proto", "tuner/v1/early_stopping.proto",
                          "tuner/v1/executors.proto", "tuner/v1/parameters.proto", "tuner/v1/strategies.proto",
                          "tuner/v1/trial.proto", "tuner/v1/tuning_job.proto", "tuner/v1/tuning_service.proto"));
}

DescriptorProto* Message(FileDescriptorSet& files, const std::string& name) {
  for (auto& file : *files.mutable_file()) {
    for (auto& message : *file.mutable_message_type()) {
      if (message.name() == name) return &message;
    }
  }
  ADD_FAILURE() << "no message " << name;
  return nullptr;
}

FieldDescriptorProto* Field(FileDescriptorSet& files, const std::string& message, const std::string& name) {
  for (auto& field : *Message(files, message)->mutable_field()) {
    if (field.name() == name) return &field;
  }
  ADD_FAILURE() << "no field " << name;
  return nullptr;
}

google::protobuf::MethodDescriptorProto* Method(FileDescriptorSet& files, const std::string& name) {
  for (auto& file : *files.mutable_file()) {
    for (auto& service : *file.mutable_service()) {
      for (auto& method : *service.mutable_method()) {
        if (method.name() == name) return &method;
      }
    }
  }
  ADD_FAILURE() << "no method " << name;
  return nullptr;
}

template <typename Items>
void Remove(Items& items, const std::string& name) {
  for (int i = 0; i < items.size(); ++i) {
    if (items[i].name() != name) continue;
    items.DeleteSubrange(i, 1);
    return;
  }
  ADD_FAILURE() << "nothing called " << name;
}

struct Mutation {
  const char* name;
  std::function<void(FileDescriptorSet&)> apply;
  const char* found;
};

// The check can fail: each kind of break is found, and nothing else with it.
class FindsBreak : public ::testing::TestWithParam<Mutation> {};
TEST_P(FindsBreak, ByName) {
  FileDescriptorSet mutated = Present();
  GetParam().apply(mutated);
  EXPECT_THAT(FindBreaks(Present(), mutated), ElementsAre(GetParam().found));
}

INSTANTIATE_TEST_SUITE_P(
    ApiCompatibility, FindsBreak,
    ::testing::ValuesIn(std::vector<Mutation>{
        {"FieldRemoved", [](auto& files) { Remove(*Message(files, "Trial")->mutable_field(), "objective"); },
         "tuner.v1.Trial.objective: the field is missing"},
        {"FieldRenamed", [](auto& files) { Field(files, "Trial", "objective")->set_name("value"); },
         "tuner.v1.Trial.objective: field 7 is now called value"},
        {"FieldRenumbered", [](auto& files) { Field(files, "Trial", "objective")->set_number(99); },
         "tuner.v1.Trial.objective: field 7 now has number 99"},
        {"FieldRetyped",
         [](auto& files) { Field(files, "Trial", "number")->set_type(FieldDescriptorProto::TYPE_INT64); },
         "tuner.v1.Trial.number: has another type"},
        {"FieldOfAnotherMessage",
         [](auto& files) { Field(files, "Trial", "basis")->set_type_name(".tuner.v1.Attempt"); },
         "tuner.v1.Trial.basis: has another type"},
        {"FieldRepeated",
         [](auto& files) { Field(files, "Trial", "reason")->set_label(FieldDescriptorProto::LABEL_REPEATED); },
         "tuner.v1.Trial.reason: has another label"},
        {"FieldWithoutPresence",
         [](auto& files) {
           Field(files, "Trial", "ordinal")->clear_proto3_optional();
           Field(files, "Trial", "ordinal")->clear_oneof_index();
         },
         "tuner.v1.Trial.ordinal: gained or lost its presence"},
        {"FieldOutOfItsOneof", [](auto& files) { Field(files, "Parameter", "double")->clear_oneof_index(); },
         "tuner.v1.Parameter.double: is in another oneof"},
        {"MessageRemoved", [](auto& files) { Message(files, "RetryPolicy")->set_name("Again"); },
         "tuner.v1.RetryPolicy: the message is missing"},
        {"NestedMessageRemoved",
         [](auto& files) {
           Remove(*Message(files, "WatchTuningJobResponse")->mutable_nested_type(), "TrialMeasurement");
         },
         "tuner.v1.WatchTuningJobResponse.TrialMeasurement: the message is missing"},
        {"EnumRemoved", [](auto& files) { Remove(*Message(files, "Objective")->mutable_enum_type(), "Goal"); },
         "tuner.v1.Objective.Goal: the enum is missing"},
        {"EnumValueRenamed",
         [](auto& files) { Message(files, "Trial")->mutable_enum_type(0)->mutable_value(6)->set_name("DONE"); },
         "tuner.v1.Trial.State.COMPLETED: the value is missing"},
        {"EnumValueRenumbered",
         [](auto& files) { Message(files, "Trial")->mutable_enum_type(0)->mutable_value(6)->set_number(60); },
         "tuner.v1.Trial.State.COMPLETED: was 6 and is now 60"},
        {"MethodRenamed", [](auto& files) { Method(files, "GetTrial")->set_name("FetchTrial"); },
         "tuner.v1.TuningService.GetTrial: the method is missing"},
        {"MethodOfAnotherRequest", [](auto& files) { Method(files, "GetTrial")->set_input_type(".tuner.v1.Trial"); },
         "tuner.v1.TuningService.GetTrial: takes another request"},
        {"MethodOfAnotherAnswer", [](auto& files) { Method(files, "GetTrial")->set_output_type(".tuner.v1.Basis"); },
         "tuner.v1.TuningService.GetTrial: gives another answer"},
        {"MethodWithoutStream", [](auto& files) { Method(files, "WatchTuningJob")->clear_server_streaming(); },
         "tuner.v1.TuningService.WatchTuningJob: began or ceased to stream"},
        {"RecordChanged",
         [](auto& files) { Field(files, "StoredJob", "spec_hash")->set_type(FieldDescriptorProto::TYPE_UINT64); },
         "tuner.internal.v1.StoredJob.spec_hash: has another type"},
    }),
    [](const auto& test) { return test.param.name; });

TEST(ApiCompatibilityTest, AdditionsAreNoBreaks) {
  FileDescriptorSet larger = Present();
  FieldDescriptorProto* field = Message(larger, "Trial")->add_field();
  field->set_name("cost");
  field->set_number(1000);
  Message(larger, "Trial")->mutable_enum_type(0)->add_value()->set_name("ARCHIVED");
  larger.mutable_file(0)->add_message_type()->set_name("New");
  EXPECT_THAT(FindBreaks(Present(), larger), ::testing::IsEmpty());
}

TEST(ApiCompatibilityTest, ReservedNumbersStayUnused) {
  FileDescriptorSet before = Present();
  auto* range = Message(before, "Trial")->add_reserved_range();
  range->set_start(500);
  range->set_end(502);
  FileDescriptorSet after = before;
  FieldDescriptorProto* field = Message(after, "Trial")->add_field();
  field->set_name("again");
  field->set_number(501);
  EXPECT_THAT(FindBreaks(before, after), ElementsAre("tuner.v1.Trial.again: uses number 501, which was reserved"));
}

}  // namespace
}  // namespace tuner
