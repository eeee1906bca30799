#include "bench/peer_dialogues.h"

#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "peers/optuna.pb.h"
#include "peers/vizier.pb.h"

namespace tuner::bench {
namespace {

constexpr int kParameters = 5;

// --- OSS Vizier: SuggestTrials answers with an operation, which is asked for until it is done.

std::string VizierMethod(const std::string& name) { return "/vizier.VizierService/" + name; }

void FillMeasurement(vizier::Measurement* measurement, int64_t step, double value) {
  measurement->set_step_count(step);
  vizier::Measurement::Metric* metric = measurement->add_metrics();
  metric->set_metric_id("loss");
  metric->set_value(value);
}

class VizierDialogue : public Dialogue {
 public:
  VizierDialogue(std::string study, int worker) : study_(std::move(study)), client_(absl::StrCat("worker-", worker)) {}

  Call Begin() override {
    vizier::SuggestTrialsRequest request;
    request.set_parent(study_);
    request.set_suggestion_count(1);
    request.set_client_id(client_);
    step_ = Step::kAsked;
    return MakeCall(VizierMethod("SuggestTrials"), request);
  }

  absl::StatusOr<std::optional<Call>> Next(grpc::ByteBuffer& answer) override {
    switch (step_) {
      case Step::kAsked:
        return Report(answer);
      case Step::kReported:
        return Complete();
      case Step::kCompleted:
        break;
    }
    return std::nullopt;
  }

 private:
  enum class Step { kAsked, kReported, kCompleted };

  absl::StatusOr<std::optional<Call>> Report(grpc::ByteBuffer& answer) {
    vizier::Operation operation;
    vizier::SuggestTrialsResponse response;
    if (!ReadAnswer(answer, &operation)) return absl::InternalError("not an Operation");
    if (operation.has_error()) return absl::UnavailableError(operation.error().message());
    if (!operation.done()) {
      vizier::GetOperationRequest request;
      request.set_name(operation.name());
      return MakeCall(VizierMethod("GetOperation"), request);
    }
    if (!response.ParseFromString(operation.response().value()) || response.trials().empty()) {
      return absl::UnavailableError("no trial");
    }
    trial_ = response.trials(0).name();
    vizier::AddTrialMeasurementRequest request;
    request.set_trial_name(trial_);
    FillMeasurement(request.mutable_measurement(), 1, 0.5);
    step_ = Step::kReported;
    return MakeCall(VizierMethod("AddTrialMeasurement"), request);
  }

  std::optional<Call> Complete() {
    vizier::CompleteTrialRequest request;
    request.set_name(trial_);
    FillMeasurement(request.mutable_final_measurement(), 2, 0.25);
    step_ = Step::kCompleted;
    return MakeCall(VizierMethod("CompleteTrial"), request);
  }

  const std::string study_;
  const std::string client_;
  Step step_ = Step::kAsked;
  std::string trial_;
};

absl::StatusOr<std::function<std::unique_ptr<Dialogue>(int)>> MakeVizierStudy(const std::string& endpoint) {
  vizier::CreateStudyRequest request;
  request.set_parent("owners/bench");
  request.mutable_study()->set_display_name("cycles");
  vizier::StudySpec* spec = request.mutable_study()->mutable_study_spec();
  spec->set_algorithm("RANDOM_SEARCH");
  spec->add_metrics()->set_metric_id("loss");
  spec->mutable_metrics(0)->set_goal(2);
  for (int i = 0; i < kParameters; ++i) {
    vizier::StudySpec::ParameterSpec* parameter = spec->add_parameters();
    parameter->set_parameter_id(absl::StrCat("x", i));
    parameter->mutable_double_value_spec()->set_max_value(1);
  }
  auto answer = CallOnce(endpoint, MakeCall(VizierMethod("CreateStudy"), request));
  if (!answer.ok()) return answer.status();
  vizier::Study study;
  if (!ReadAnswer(*answer, &study)) return absl::InternalError("not a Study");
  return [name = study.name()](int worker) { return std::make_unique<VizierDialogue>(name, worker); };
}

// --- Optuna: its storage is what is served; the client samples.

constexpr char kDistribution[] =
    R"({"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}})";

std::string OptunaMethod(const std::string& name) { return "/optuna.StorageService/" + name; }

class OptunaDialogue : public Dialogue {
 public:
  OptunaDialogue(int64_t study, int worker, bool with_template)
      : study_(study), with_template_(with_template), random_(worker) {}

  Call Begin() override {
    optuna::CreateNewTrialRequest request;
    request.set_study_id(study_);
    request.set_template_trial_is_none(!with_template_);
    if (with_template_) {
      optuna::Trial* trial = request.mutable_template_trial();
      trial->set_datetime_start(absl::FormatTime("%Y-%m-%d %H:%M:%E6S", absl::Now(), absl::UTCTimeZone()));
      for (int i = 0; i < kParameters; ++i) {
        (*trial->mutable_params())[Parameter(i)] = Uniform();
        (*trial->mutable_distributions())[Parameter(i)] = kDistribution;
      }
    }
    trial_ = 0;
    parameters_ = with_template_ ? kParameters : 0;
    step_ = Step::kAsked;
    return MakeCall(OptunaMethod("CreateNewTrial"), request);
  }

  absl::StatusOr<std::optional<Call>> Next(grpc::ByteBuffer& answer) override {
    switch (step_) {
      case Step::kAsked:
        if (trial_ == 0) {
          optuna::CreateNewTrialReply reply;
          if (!ReadAnswer(answer, &reply)) return absl::InternalError("not a CreateNewTrialReply");
          trial_ = reply.trial_id();
        }
        return parameters_ < kParameters ? SetParameter() : Report();
      case Step::kReported:
        return Complete();
      case Step::kCompleted:
        break;
    }
    return std::nullopt;
  }

 private:
  enum class Step { kAsked, kReported, kCompleted };

  static std::string Parameter(int i) { return absl::StrCat("x", i); }
  double Uniform() { return std::uniform_real_distribution<double>()(random_); }

  std::optional<Call> SetParameter() {
    optuna::SetTrialParameterRequest request;
    request.set_trial_id(trial_);
    request.set_param_name(Parameter(parameters_++));
    request.set_param_value_internal(Uniform());
    request.set_distribution(kDistribution);
    return MakeCall(OptunaMethod("SetTrialParameter"), request);
  }

  std::optional<Call> Report() {
    optuna::SetTrialIntermediateValueRequest request;
    request.set_trial_id(trial_);
    request.set_step(1);
    request.set_intermediate_value(0.5);
    step_ = Step::kReported;
    return MakeCall(OptunaMethod("SetTrialIntermediateValue"), request);
  }

  std::optional<Call> Complete() {
    optuna::SetTrialStateValuesRequest request;
    request.set_trial_id(trial_);
    request.set_state(1);
    request.add_values(0.25);
    step_ = Step::kCompleted;
    return MakeCall(OptunaMethod("SetTrialStateValues"), request);
  }

  const int64_t study_;
  const bool with_template_;
  std::mt19937_64 random_;
  Step step_ = Step::kAsked;
  int64_t trial_ = 0;
  int parameters_ = 0;
};

absl::StatusOr<int64_t> MakeOptunaStudyId(const std::string& endpoint) {
  optuna::CreateNewStudyRequest request;
  request.add_directions(0);
  request.set_study_name("cycles");
  auto answer = CallOnce(endpoint, MakeCall(OptunaMethod("CreateNewStudy"), request));
  if (!answer.ok()) return answer.status();
  optuna::CreateNewStudyReply reply;
  if (!ReadAnswer(*answer, &reply)) return absl::InternalError("not a CreateNewStudyReply");
  return reply.study_id();
}

template <bool kWithTemplate>
absl::StatusOr<std::function<std::unique_ptr<Dialogue>(int)>> MakeOptunaStudy(const std::string& endpoint) {
  auto study = MakeOptunaStudyId(endpoint);
  if (!study.ok()) return study.status();
  return [id = *study](int worker) { return std::make_unique<OptunaDialogue>(id, worker, kWithTemplate); };
}

}  // namespace

const Peer kVizier = {"OSS Vizier", "vizier", "vizier_server.py", &MakeVizierStudy};
const Peer kOptuna = {"Optuna proxy", "optuna", "optuna_server.py", &MakeOptunaStudy<false>};
const Peer kOptunaTemplate = {"Optuna proxy, 3 calls", "optuna", "optuna_server.py", &MakeOptunaStudy<true>};

absl::StatusOr<std::string> PeerPython(const Context& context, const std::string& environment) {
  const std::string python = absl::StrCat(context.options.environments, "/venv-", environment, "/bin/python");
  if (!std::filesystem::exists(python)) return absl::NotFoundError("not installed: scripts/bench does it");
  return python;
}

}  // namespace tuner::bench
