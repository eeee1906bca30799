#include "tuner/requests/job_builder.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/definitions.h"
#include "core/resource_names.h"
#include "core/validate.h"
#include "core/warm_start.h"
#include "executors/executor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "proto/convert.h"
#include "strategies/strategy.h"
#include "tuner/requests/field_order.h"
#include "tuner/requests/problems.h"
#include "tuner/requests/provenance.h"
#include "tuner/requests/sha256.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::requests {
namespace {

constexpr size_t kMaxRequestId = 128;
constexpr int64_t kMaxTrials = 1'000'000;

bool Concerns(const core::Problem& problem, absl::string_view field) {
  return absl::StartsWith(problem.path, field) &&
         (problem.path.size() == field.size() || problem.path[field.size()] == '.' ||
          problem.path[field.size()] == '[');
}

bool AnyConcerns(const core::Problems& problems, absl::string_view field) {
  return std::any_of(problems.begin(), problems.end(), [field](const core::Problem& p) { return Concerns(p, field); });
}

void AddNames(const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters, int depth,
              core::ParameterMap& names) {
  if (depth > 5) return;
  for (const v1::Parameter& parameter : parameters) {
    names.emplace(parameter.name(), std::string());
    for (const v1::ConditionalChildren& children : parameter.children())
      AddNames(children.parameters(), depth + 1, names);
  }
}

// What the executors say of their options. When parameters have problems the space is empty; their names then stand in
// as static ones, so that a command which uses them is not blamed.
void AddExecutorProblems(const v1::TuningJobSpec& wire, const convert::ParsedSpec& parsed,
                         const executors::ExecutorRegistry& registry, core::Problems& problems) {
  for (int d = 0; d < core::DefinitionCount(parsed.spec); ++d) {
    core::JobSpec spec = core::DefinitionAt(parsed.spec, d);
    if (AnyConcerns(problems, core::PathInJob(parsed.spec, d, "parameters"))) {
      AddNames(convert::DefinitionAsJob(wire, d).parameters(), 0, spec.static_parameters);
    }
    for (size_t i = 0; i < spec.trial.executors.size(); ++i) {
      const core::Options& options = spec.trial.executors[i].options;
      const executors::ExecutorKind* kind = registry.Find(options.name);
      if (kind == nullptr) continue;  // told as unimplemented, or as missing
      const std::string path = core::PathInJob(parsed.spec, d, parsed.executor_paths[d][i]);
      for (core::Problem& problem : kind->validate(options.bytes, spec)) {
        problems.push_back(
            {problem.path.empty() ? path : absl::StrCat(path, ".", problem.path), std::move(problem.text)});
      }
    }
  }
}

// What the executors remark on their options.
void AddExecutorAdvice(const convert::ParsedSpec& parsed, const core::JobSpec& spec, std::vector<std::string>& advice) {
  for (int d = 0; d < core::DefinitionCount(spec); ++d) {
    const core::JobSpec& definition = core::DefinitionAt(spec, d);
    for (size_t i = 0; i < definition.trial.executors.size(); ++i) {
      const core::Options& options = definition.trial.executors[i].options;
      const executors::ExecutorKind* kind = executors::FindExecutorKind(options.name);
      if (kind == nullptr || kind->advise == nullptr) continue;
      const std::string path = core::PathInJob(spec, d, parsed.executor_paths[d][i]);
      for (const std::string& text : kind->advise(options.bytes, definition)) {
        advice.push_back(absl::StrCat(path, ".", text));
      }
    }
  }
}

// Strategies look at the space, the constraints and the limits together, so they are asked when those are in order.
void AddStrategyProblems(const core::JobSpec& spec, core::Problems& problems) {
  const strategies::StrategyKind* kind = strategies::FindStrategyKind(spec.strategy.name);
  if (kind == nullptr || AnyConcerns(problems, "limits.max_trials")) return;
  const core::Problems found = problems;
  for (int d = 0; d < core::DefinitionCount(spec); ++d) {
    if (AnyConcerns(found, core::PathInJob(spec, d, "parameters"))) continue;
    if (AnyConcerns(found, core::PathInJob(spec, d, "constraints"))) continue;
    for (core::Problem& problem : kind->validate(core::DefinitionAt(spec, d))) {
      problems.push_back({core::PathInJob(spec, d, problem.path), std::move(problem.text)});
    }
  }
}

// The keys of signatures are in the server's environment, so that no specification holds one.
void AddMissingKeys(const core::JobSpec& spec, core::Problems& problems) {
  for (size_t i = 0; i < spec.notifications.size(); ++i) {
    const auto* webhook = std::get_if<core::Webhook>(&spec.notifications[i].target);
    const std::string path = absl::StrCat("notifications[", i, "].webhook.hmac_key_env");
    if (webhook == nullptr || webhook->hmac_key_env.empty() || AnyConcerns(problems, path)) continue;
    const char* key = std::getenv(webhook->hmac_key_env.c_str());
    if (key != nullptr && *key != '\0') continue;
    problems.push_back({path, absl::StrCat("the server's environment has no ", webhook->hmac_key_env,
                                           "; start the server with that variable, or leave it out to send unsigned")});
  }
}

// Compared with what they asked for, and so only when that is in order.
core::ParentJobs AddEarlierJobs(const LookUpJob& look_up, core::JobSpec& spec, core::Problems& problems) {
  for (int d = 0; d < core::DefinitionCount(spec); ++d) {
    const std::string path = core::PathInJob(spec, d, "trial.inputs");
    if (!AnyConcerns(problems, path)) FindArtifacts(look_up, path, core::DefinitionAt(spec, d).trial, problems);
  }
  for (const char* field :
       {"name", "objective", "additional_objectives", "parameters", "static_parameters", "warm_start"}) {
    if (AnyConcerns(problems, field)) return {};
  }
  return FindParents(spec, look_up, problems);
}

absl::Status Unimplemented(const convert::ParsedSpec& parsed) {
  std::vector<std::string> missing = parsed.unimplemented;
  if (missing.empty() && strategies::FindStrategyKind(parsed.spec.strategy.name) == nullptr) {
    missing.push_back(absl::StrCat("strategy.", parsed.spec.strategy.name, ": this server does not have it"));
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrJoin(missing, "\n"));
}

absl::Status MissingExecutors(const convert::ParsedSpec& parsed, const executors::ExecutorRegistry& registry) {
  std::vector<std::string> missing;
  for (int d = 0; d < core::DefinitionCount(parsed.spec); ++d) {
    const std::vector<core::ExecutorChoice>& choices = core::DefinitionAt(parsed.spec, d).trial.executors;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (registry.Find(choices[i].options.name) != nullptr) continue;
      const std::string path = core::PathInJob(parsed.spec, d, parsed.executor_paths[d][i]);
      missing.push_back(absl::StrCat(path, ": this server does not have it"));
    }
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrJoin(missing, "\n"));
}

// Sets what a grid's limits follow from: of several definitions, all their grids together.
void ResolveGrid(const v1::Strategy& wire, CheckedSpec& checked, core::Problems& problems) {
  core::JobSpec& spec = checked.spec;
  int64_t count = 0;
  for (int d = 0; d < core::DefinitionCount(spec); ++d) {
    count += strategies::FindStrategyKind(spec.strategy.name)->trial_count(core::DefinitionAt(spec, d));
  }
  checked.grid_size = count;
  if (count == 0) return;
  if (spec.limits.max_trials) {
    // A strategy that is alone has compared them itself.
    const bool differs = !spec.definitions.empty() && !wire.grid().allow_partial() && *spec.limits.max_trials != count;
    if (differs) {
      problems.push_back({"limits.max_trials", absl::StrCat("is ", *spec.limits.max_trials,
                                                            ", but the grids of the definitions have ", count,
                                                            " combinations together; leave max_trials out, or set "
                                                            "strategy.grid.allow_partial")});
    }
    return;
  }
  if (count > kMaxTrials) {
    problems.push_back(
        {"limits.max_trials", absl::StrCat("the grid has ", count, " combinations, more than the ", kMaxTrials,
                                           " trials of a job; make it coarser, or set max_trials together with "
                                           "strategy.grid.allow_partial")});
    return;
  }
  spec.limits.max_trials = static_cast<int32_t>(count);
}

// Fills in what only the wire options of an executor say.
void ResolveExecutors(core::JobSpec& spec) {
  for (int d = 0; d < core::DefinitionCount(spec); ++d) {
    for (core::ExecutorChoice& choice : core::DefinitionAt(spec, d).trial.executors) {
      v1::ExternalExecutor external;
      if (choice.options.name != "external" || !external.ParseFromString(choice.options.bytes)) continue;
      choice.lease = external.has_lease() ? convert::FromProto(external.lease()) : absl::Seconds(300);
    }
  }
}

absl::Status CheckRequest(const v1::CreateTuningJobRequest& request) {
  core::Problems problems;
  if (request.request_id().size() > kMaxRequestId) {
    problems.push_back({"request_id", absl::StrCat("has ", request.request_id().size(), " characters; use up to 128")});
  }
  if (!request.base_dir().empty() && request.base_dir().front() != '/') {
    problems.push_back({"base_dir", absl::StrCat("\"", request.base_dir(), "\" is relative; give an absolute folder")});
  }
  return InvalidArgument(problems);
}

absl::StatusOr<uint64_t> RandomNumber() {
  uint64_t number = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) != 1) {
    return absl::UnavailableError("no random numbers from OpenSSL");
  }
  return number;
}

}  // namespace

void ResolveStrategy(core::JobSpec& spec) {
  const strategies::StrategyKind* kind = strategies::FindStrategyKind(spec.strategy.name);
  if (kind == nullptr || kind->resolve == nullptr) return;
  // From what all definitions have in common: their limits and their number of objectives.
  spec.strategy.bytes = kind->resolve(core::DefinitionAt(spec, 0));
  for (core::JobSpec& definition : spec.definitions) definition.strategy = spec.strategy;
}

absl::StatusOr<CheckedSpec> CheckSpec(const v1::TuningJobSpec& spec, const std::string& base_dir, uint64_t seed,
                                      const LookUpJob& look_up, bool import_only,
                                      const executors::ExecutorRegistry& executors) {
  convert::ParsedSpec parsed = convert::SpecFromProto(spec, base_dir);
  core::Problems problems = convert::SpecProblems(parsed);
  if (!core::IsJobId(parsed.spec.name) && !AnyConcerns(problems, "name")) {
    problems.push_back(
        {"name", absl::StrCat("\"", parsed.spec.name,
                              "\" is no name for a job; use 1 to 63 letters, digits, '.', '_' and '-', a letter or "
                              "digit first")});
  }
  AddExecutorProblems(spec, parsed, executors, problems);
  AddStrategyProblems(parsed.spec, problems);
  AddMissingKeys(parsed.spec, problems);
  if (import_only && !parsed.spec.limits.max_trials) {  // its last trial ends it
    std::erase_if(problems, [](const core::Problem& problem) { return problem.path == "limits.max_trials"; });
  }
  core::ParentJobs parents = AddEarlierJobs(look_up, parsed.spec, problems);
  SortProblems(problems);
  if (!problems.empty()) return InvalidArgument(problems);
  if (absl::Status status = Unimplemented(parsed); !status.ok()) return status;
  if (absl::Status status = MissingExecutors(parsed, executors); !status.ok()) return status;

  CheckedSpec checked;
  checked.spec = std::move(parsed.spec);
  checked.executor_paths = parsed.executor_paths;
  checked.parents = std::move(parents);
  if (!parsed.has_seed) core::SetSeed(checked.spec, seed);
  ResolveGrid(spec.strategy(), checked, problems);
  ResolveStrategy(checked.spec);
  if (!problems.empty()) return InvalidArgument(problems);
  ResolveExecutors(checked.spec);
  checked.resolved = convert::ResolveSpec(spec, checked.spec);
  checked.advice = core::Advise(checked.spec);
  AddExecutorAdvice(parsed, checked.spec, checked.advice);
  return checked;
}

// What the engines say of a job whose specification is in order.
static absl::Status AskEngines(const CheckedSpec& checked, const executors::ExecutorRegistry& registry) {
  core::Problems problems;
  for (int d = 0; d < core::DefinitionCount(checked.spec); ++d) {
    const core::JobSpec& definition = core::DefinitionAt(checked.spec, d);
    for (size_t i = 0; i < definition.trial.executors.size(); ++i) {
      const core::Options& options = definition.trial.executors[i].options;
      const executors::ExecutorKind* kind = registry.Find(options.name);
      if (kind == nullptr || kind->check == nullptr) continue;
      const std::string path = core::PathInJob(checked.spec, d, checked.executor_paths[d][i]);
      for (core::Problem& problem : kind->check(options.bytes, definition)) {
        problems.push_back(
            {problem.path.empty() ? path : absl::StrCat(path, ".", problem.path), std::move(problem.text)});
      }
    }
  }
  SortProblems(problems);
  return problems.empty() ? absl::OkStatus() : InvalidArgument(problems);
}

absl::StatusOr<NewJob> BuildJob(const v1::CreateTuningJobRequest& request, const LookUpJob& look_up,
                                const executors::ExecutorRegistry& executors) {
  if (absl::Status status = CheckRequest(request); !status.ok()) return status;
  absl::StatusOr<uint64_t> seed = RandomNumber();
  if (!seed.ok()) return seed.status();
  absl::StatusOr<CheckedSpec> checked =
      CheckSpec(request.spec(), request.base_dir(), *seed & 0x7fffffff, look_up, request.import_only(), executors);
  if (!checked.ok()) return checked.status();
  if (request.validate_only() && request.check_executors()) {
    if (absl::Status asked = AskEngines(*checked, executors); !asked.ok()) return asked;
  }

  core::JobHeader header;
  header.job_id = checked->spec.name;
  char uid[16];
  for (int half = 0; half < 2; ++half) {
    absl::StatusOr<uint64_t> number = RandomNumber();
    if (!number.ok()) return number.status();
    std::memcpy(uid + 8 * half, &*number, 8);
  }
  header.uid = absl::BytesToHexString(absl::string_view(uid, sizeof uid));
  header.spec_bytes = checked->resolved.SerializeAsString();
  header.base_dir = request.base_dir();
  header.provenance_bytes = FindProvenance(checked->spec).SerializeAsString();
  header.advice = std::move(checked->advice);
  header.request_id = request.request_id();
  header.spec_hash = RequestHash(request);
  header.tags = checked->spec.tags;
  header.limits = checked->spec.limits;
  header.grid_size = checked->grid_size;
  header.import_only = request.import_only();
  if (checked->spec.warm_start && checked->spec.warm_start->type == core::WarmStart::Type::kIdentical) {
    header.best_of_parents = core::BestOfParents(checked->spec, checked->parents);
  }
  return NewJob{std::move(header), std::move(checked->parents)};
}

absl::StatusOr<core::JobHeader> BuildJob(const v1::CreateTuningJobRequest& request) {
  absl::StatusOr<NewJob> job = BuildJob(request, [](const std::string&) { return absl::NotFoundError("no such job"); });
  if (!job.ok()) return job.status();
  return std::move(job->header);
}

uint64_t RequestHash(const v1::CreateTuningJobRequest& request) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // maps in the order of their keys
    request.spec().SerializeToCodedStream(&coded);
    coded.WriteString(request.base_dir());
    if (request.import_only()) coded.WriteString("import_only");
  }
  uint64_t hash = 0;
  std::memcpy(&hash, Sha256(bytes).data(), sizeof hash);
  return hash;
}

bool IsRetry(const v1::CreateTuningJobRequest& request, const core::JobHeader& existing) {
  return !request.request_id().empty() && request.request_id() == existing.request_id &&
         RequestHash(request) == existing.spec_hash;
}

absl::StatusOr<core::JobSpec> SpecOfHeader(const core::JobHeader& header,
                                           const executors::ExecutorRegistry* executors) {
  v1::TuningJobSpec wire;
  if (!wire.ParseFromString(header.spec_bytes)) {
    return absl::DataLossError(absl::StrCat("the stored specification of ", header.job_id, " cannot be read"));
  }
  convert::ParsedSpec parsed = convert::SpecFromProto(wire, header.base_dir);
  if (!parsed.problems.empty()) {
    return absl::DataLossError(absl::StrCat("the stored specification of ", header.job_id, " is not whole: ",
                                            parsed.problems.front().path, ": ", parsed.problems.front().text));
  }
  if (absl::Status status = Unimplemented(parsed); !status.ok()) return status;
  if (executors != nullptr) {
    if (absl::Status status = MissingExecutors(parsed, *executors); !status.ok()) return status;
  }
  ResolveExecutors(parsed.spec);
  return std::move(parsed.spec);
}

absl::StatusOr<core::Limits> UpdatedLimits(const core::JobHeader& header, const v1::Limits& update) {
  absl::StatusOr<core::JobSpec> spec = SpecOfHeader(header);
  if (!spec.ok()) return spec.status();
  spec->limits = header.limits;
  core::Problems problems = convert::MergeLimits(update, spec->limits);
  if (problems.empty()) {
    problems = core::ValidateSpec(*spec);
    AddStrategyProblems(*spec, problems);
  }
  SortProblems(problems);
  if (!problems.empty()) return InvalidArgument(problems);
  return spec->limits;
}

}  // namespace tuner::requests
