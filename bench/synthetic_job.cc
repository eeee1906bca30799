#include "bench/synthetic_job.h"

#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/job_machine.h"
#include "tuner/engine/job_runner.h"
#include "tuner/requests/job_builder.h"

namespace tuner::bench {

absl::StatusOr<std::unique_ptr<SyntheticJob>> SyntheticJob::Make(const v1::TuningJobSpec& spec, absl::Time now) {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = spec;
  auto header = requests::BuildJob(request);
  if (!header.ok()) return header.status();
  auto parsed = requests::SpecOfHeader(*header);
  if (!parsed.ok()) return parsed.status();
  const strategies::StrategyKind* kind = strategies::FindStrategyKind(parsed->strategy.name);
  auto strategy = kind->make(*parsed);
  if (!strategy.ok()) return strategy.status();

  auto job = std::unique_ptr<SyntheticJob>(new SyntheticJob());
  const core::Changes first = core::FirstChanges(*std::move(header), now);
  job->created_ = std::get<core::JobPut>(first.front()).header;
  job->state_ = std::make_unique<core::JobState>(*std::move(parsed));
  for (const core::Change& change : first) core::Apply(change, *job->state_);
  job->strategy_ = *std::move(strategy);
  job->now_ = now;
  if (auto resumed = job->Do(core::Resumed{}); !resumed.ok()) return resumed.status();
  return job;
}

absl::StatusOr<core::RunRef> SyntheticJob::Do(core::EventKind what) {
  now_ += absl::Seconds(1);
  const core::CallId call = ++last_call_;
  std::deque<core::Event> events = {{now_, std::move(what), call}};
  core::RunRef run;
  while (!events.empty()) {
    const core::Decision decision = core::Step(*state_, events.front());
    events.pop_front();
    ++steps_;
    changes_.insert(changes_.end(), decision.changes.begin(), decision.changes.end());
    for (const core::Effect& effect : decision.effects) {
      if (const auto* answer = std::get_if<core::Answer>(&effect); answer != nullptr && answer->call == call) {
        if (!answer->status.ok()) return answer->status;
        if (!answer->trials.empty())
          run = {answer->trials.back(), state_->FindTrial(answer->trials.back())->attempts.back().number};
      }
      if (const auto* ask = std::get_if<core::AskStrategy>(&effect)) {
        auto proposals = strategy_->Suggest({.ordinal = ask->first_ordinal, .count = ask->count});
        if (!proposals.ok()) return proposals.status();
        core::Proposed proposed{.first_ordinal = ask->first_ordinal};
        for (const auto& proposal : proposals->proposals) {
          proposed.proposals.push_back({proposal.parameters});
        }
        proposed.basis = proposals->basis;
        proposed.exhausted = proposals->exhausted;
        events.push_back({now_, std::move(proposed)});
      }
    }
  }
  return run;
}

absl::Status SyntheticJob::StartTrial() {
  return Do(core::SuggestAsked{.worker_id = absl::StrCat("holder-", last_call_)}).status();
}

absl::Status SyntheticJob::RunTrial(int measurements) {
  auto run = Do(core::SuggestAsked{.worker_id = "worker"});
  if (!run.ok()) return run.status();
  if (run->trial == 0) return absl::InternalError("no trial was given");
  const double value = 1.0 / run->trial;
  for (int step = 1; step <= measurements; ++step) {
    core::Measurement measurement{.metric = state_->spec().objective.metric, .value = value, .step = step};
    if (auto done = Do(core::Reported{*run, "worker", {std::move(measurement)}}); !done.ok()) return done.status();
  }
  return Do(core::CompletionTold{
                .run = *run, .worker_id = "worker", .final_metrics = {{state_->spec().objective.metric, value}}})
      .status();
}

core::Changes SyntheticJob::TakeChanges() { return engine::Coalesce(std::exchange(changes_, {})); }

}  // namespace tuner::bench
