// Our CreateTrainingJob is the one that the SageMaker Python SDK sends for the same estimator: sdk_requests.json, which
// record_sdk_requests.py made of it.
#include "executors/sagemaker/request.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "executors/sagemaker/names.h"
#include "executors/sagemaker/options.h"
#include "gmock/gmock.h"
#include "re2/re2.h"

namespace tuner::executors::sagemaker {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const char kRole[] = "arn:aws:iam::123456789012:role/trainer";
const char kImage[] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1";

struct Case {
  RunSpec spec;
  v1::SageMakerExecutor options;
  TrainingJobPlan plan{.name = "the-job", .instance_type = 0, .region = "us-east-1", .channels = {}, .code = ""};
};

Case Basic(const char* instance_type, int max_run) {
  Case made;
  made.spec.id = {"job", "uid", 1, 1};
  made.spec.time_limit = absl::Seconds(max_run);
  made.options.set_training_image(kImage);
  made.options.set_role_arn(kRole);
  made.options.set_output_s3_uri("s3://bucket/out");
  made.options.set_debugger(true);
  if (*instance_type != '\0') made.options.add_instance_types(instance_type);
  return made;
}

core::Channel S3Channel(const std::string& name, const std::string& uri) {
  core::Channel channel;
  channel.name = name;
  channel.s3_uri = uri;
  return channel;
}

json SdkRequest(const std::string& name) {
  std::ifstream file(TUNER_SDK_REQUESTS);
  const json recorded = json::parse(file, nullptr, false);
  EXPECT_FALSE(recorded.is_discarded());
  return recorded["requests"][name];
}

// Ours without what only ours has: the tag by which the run is found again, which is looked for here.
json OurRequest(const Case& made) {
  const absl::StatusOr<std::string> text = CreateTrainingJobRequest(made.spec, made.options, made.plan);
  if (!text.ok()) {
    ADD_FAILURE() << text.status();
    return {};
  }
  json request = json::parse(*text);
  EXPECT_EQ(request["Tags"].back(), (json{{"Key", kRunTag}, {"Value", "uid/1/1"}}));
  request["Tags"].erase(request["Tags"].size() - 1);
  if (request["Tags"].empty()) request.erase("Tags");
  return request;
}

void ExpectSame(const json& ours, const json& sdk) {
  EXPECT_EQ(ours, sdk) << "to make the SDK's of ours: " << json::diff(ours, sdk).dump(1);
}

TEST(SageMakerRequestTest, APlainEstimator) {
  Case made = Basic("ml.m5.xlarge", 3600);
  made.options.set_volume_size_gb(30);
  made.spec.metrics = {{"validation:logloss", "validation-logloss:([0-9.eE+-]+)"}};
  made.spec.parameters = {{"eta", 0.1}, {"max_depth", int64_t{5}}, {"booster", std::string("gbtree")}, {"tiny", 1e-07}};
  made.spec.static_parameters = {{"quiet", true}};
  made.spec.inputs = {S3Channel("train", "s3://bucket/train")};
  made.spec.inputs[0].content_type = "text/csv";
  ExpectSame(OurRequest(made), SdkRequest("plain"));
}

TEST(SageMakerRequestTest, EverythingAtOnce) {
  Case made = Basic("ml.p3.2xlarge", 7200);
  v1::SageMakerExecutor& options = made.options;
  options.set_instance_count(2);
  options.set_volume_size_gb(100);
  options.set_output_kms_key("alias/out");
  options.set_volume_kms_key("alias/volume");
  options.add_subnets("subnet-1");
  options.add_subnets("subnet-2");
  options.add_security_groups("sg-1");
  options.set_spot(true);
  options.mutable_max_wait()->set_seconds(10000);
  options.set_checkpoint_s3_uri("s3://bucket/checkpoints");
  options.set_checkpoint_local_path("/opt/ml/saved");
  options.set_network_isolation(true);
  options.set_encrypt_inter_container_traffic(true);
  options.set_max_retry_attempts(3);
  (*options.mutable_tags())["team"] = "vision";
  options.add_container_entrypoint("python3");
  options.add_container_entrypoint("run.py");
  options.add_container_arguments("--verbose");
  options.set_input_mode(v1::SageMakerExecutor::FAST_FILE);
  made.spec.environment["MODE"] = "fast";
  // Of the server's own, nothing that would tell where it is, or its token.
  made.spec.service_environment = {{"TUNER_ENDPOINT", "127.0.0.1:7070"}, {"TUNER_TOKEN", "planted-secret"}};
  made.spec.parameters = {{"lr", 0.5}};
  made.spec.inputs = {S3Channel("a", "s3://bucket/a"), S3Channel("b", "s3://bucket/b")};
  made.spec.inputs[0].sharded = true;
  made.spec.inputs[0].input_mode = core::Channel::InputMode::kPipe;
  json ours = OurRequest(made);
  // Trials that are checkpointed in one folder would take each other's.
  EXPECT_EQ(ours["CheckpointConfig"]["S3Uri"], TrialUri("s3://bucket/checkpoints", made.spec.id));
  ours["CheckpointConfig"]["S3Uri"] = "s3://bucket/checkpoints";
  ExpectSame(ours, SdkRequest("everything"));
}

TEST(SageMakerRequestTest, AWarmPool) {
  Case made = Basic("ml.m5.large", 600);
  made.options.mutable_keep_alive()->set_seconds(900);
  made.options.set_output_compression(v1::SageMakerExecutor::NONE);
  made.spec.parameters = {{"lr", int64_t{1}}};
  ExpectSame(OurRequest(made), SdkRequest("warm_pool"));
}

TEST(SageMakerRequestTest, InstanceGroups) {
  Case made = Basic("", 600);
  auto* workers = made.options.add_instance_groups();
  workers->set_name("workers");
  workers->set_instance_type("ml.m5.large");
  workers->set_instance_count(2);
  auto* gpu = made.options.add_instance_groups();
  gpu->set_name("gpu");
  gpu->set_instance_type("ml.p3.2xlarge");
  made.options.set_volume_size_gb(50);
  made.spec.parameters = {{"lr", int64_t{1}}};
  ExpectSame(OurRequest(made), SdkRequest("groups"));
}

TEST(SageMakerRequestTest, ScriptMode) {
  Case made = Basic("ml.m5.xlarge", 3600);
  made.options.set_entry_point("train.py");
  made.plan.code = "s3://bucket/code/sourcedir.tar.gz";
  made.spec.metrics = {{"validation:logloss", "validation-logloss:([0-9.eE+-]+)"}};
  made.spec.parameters = {{"eta", 0.1}, {"max_depth", int64_t{5}}, {"booster", std::string("gbtree")}};
  made.spec.static_parameters = {{"quiet", true}};
  made.spec.inputs = {S3Channel("train", "s3://bucket/train")};
  ExpectSame(OurRequest(made), SdkRequest("script"));
}

TEST(SageMakerRequestTest, ATunedTrialSaysItsObjectiveAndItsResource) {
  Case made = Basic("ml.m5.xlarge", 3600);
  made.spec.objective_metric = "loss";
  made.spec.service_environment["TUNER_RESOURCE"] = "9";
  const json ours = OurRequest(made);
  EXPECT_EQ(ours["HyperParameters"]["_tuning_objective_metric"], "loss");
  EXPECT_EQ(ours["Environment"], (json{{"TUNER_RESOURCE", "9"}}));
}

TEST(SageMakerRequestTest, MetricRegexesHaveTheirValueInTheOnlyGroup) {
  EXPECT_EQ(SageMakerRegex("loss=([0-9.]+)"), "loss=([0-9.]+)");
  EXPECT_EQ(SageMakerRegex("epoch (?P<step>[0-9]+): loss=(?P<value>[0-9.]+)"), "epoch (?:[0-9]+): loss=([0-9.]+)");
  EXPECT_EQ(SageMakerRegex("(?P<value>a|b) (c)"), "(a|b) (?:c)");
  EXPECT_EQ(SageMakerRegex(R"(\(x\) [(] []()] (?:y)(z))"), R"(\(x\) [(] []()] (?:y)(z))");
}

TEST(SageMakerNamesTest, AreWhatSageMakerTakesAndNoTwoRunsShareOne) {
  const re2::RE2 pattern("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}");
  const RunId ids[] = {
      {"a", "u", 1, 1}, {std::string(63, '.'), "u", 1'000'000, 999'999}, {"a.b_c", "u", 1, 1}, {"a-b-c", "v", 1, 1}};
  std::set<std::string> names;
  for (const RunId& id : ids) {
    for (const int instance_type : {0, 1, 9}) {
      const std::string name = TrainingJobName(id, instance_type);
      EXPECT_TRUE(re2::RE2::FullMatch(name, pattern)) << name;
      EXPECT_LE(name.size(), kMaxNameLength) << name;
      EXPECT_TRUE(names.insert(name).second) << name;
    }
  }
  EXPECT_EQ(CommonPrefix({"tuner-a-1", "tuner-a-22", "tuner-b"}), "tuner-");
  EXPECT_EQ(CommonPrefix({}), "");
}

std::vector<std::string> ProblemPaths(const v1::SageMakerExecutor& options, const core::JobSpec& spec = {}) {
  std::vector<std::string> paths;
  for (const core::Problem& problem : ValidateSageMakerOptions(options.SerializeAsString(), spec))
    paths.push_back(problem.path);
  return paths;
}

TEST(SageMakerOptionsTest, SaysWhatSageMakerWouldRefuse) {
  v1::SageMakerExecutor good = Basic("ml.m5.large", 60).options;
  EXPECT_THAT(ProblemPaths(good), testing::IsEmpty());
  const auto with = [&good](const std::function<void(v1::SageMakerExecutor&)>& change) {
    v1::SageMakerExecutor options = good;
    change(options);
    return ProblemPaths(options);
  };
  using testing::ElementsAre;
  using Options = v1::SageMakerExecutor;
  EXPECT_THAT(ProblemPaths(Options()), ElementsAre("training_image", "role_arn", "instance_types", "output_s3_uri"));
  EXPECT_THAT(with([](Options& o) { o.set_algorithm_name("a"); }), ElementsAre("training_image"));
  EXPECT_THAT(with([](Options& o) { o.set_role_arn("trainer"); }), ElementsAre("role_arn"));
  EXPECT_THAT(with([](Options& o) { o.set_instance_types(0, "m5.large"); }), ElementsAre("instance_types[0]"));
  EXPECT_THAT(with([](Options& o) { o.set_output_s3_uri("bucket/out"); }), ElementsAre("output_s3_uri"));
  EXPECT_THAT(with([](Options& o) { o.set_spot(true); }), ElementsAre("max_wait"));
  EXPECT_THAT(with([](Options& o) { o.mutable_max_wait()->set_seconds(1); }), ElementsAre("max_wait"));
  EXPECT_THAT(with([](Options& o) { o.add_subnets("s"); }), ElementsAre("security_groups"));
  EXPECT_THAT(with([](Options& o) { o.mutable_keep_alive()->set_seconds(7200); }), ElementsAre("keep_alive"));
  EXPECT_THAT(with([](Options& o) { o.set_region("here"); }), ElementsAre("region"));
  EXPECT_THAT(with([](Options& o) { o.set_endpoint("here"); }), ElementsAre("endpoint"));
  EXPECT_THAT(with([](Options& o) { o.set_source_dir("src"); }), ElementsAre("source_dir"));
  EXPECT_THAT(with([](Options& o) { o.set_max_retry_attempts(31); }), ElementsAre("max_retry_attempts"));
  EXPECT_THAT(with([](Options& o) { (*o.mutable_tags())["tuner:run"] = "x"; }), ElementsAre("tags.tuner:run"));
  EXPECT_THAT(with([](Options& o) { o.mutable_poll_interval()->set_nanos(1); }), ElementsAre("poll_interval"));
  core::JobSpec long_run;
  long_run.trial.time_limit = absl::Hours(24 * 29);
  EXPECT_THAT(ProblemPaths(good, long_run), ElementsAre(""));
}

}  // namespace
}  // namespace tuner::executors::sagemaker
