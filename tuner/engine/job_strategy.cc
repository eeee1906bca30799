#include "tuner/engine/job_strategy.h"

#include <algorithm>
#include <utility>

namespace tuner::engine {
namespace {

core::Proposed ToProposed(const core::AskStrategy& ask, absl::StatusOr<strategies::Proposals> result) {
  core::Proposed proposed;
  proposed.definition = ask.definition;
  proposed.first_ordinal = ask.first_ordinal;
  if (!result.ok()) {
    proposed.error = result.status();
    return proposed;
  }
  for (strategies::NewTrial& trial : result->proposals) {
    proposed.proposals.push_back({std::move(trial.parameters), trial.resource, trial.reused_trial});
  }
  for (strategies::ResumeTrial& promotion : result->promotions) {
    proposed.promotions.push_back({promotion.trial, promotion.resource, std::move(promotion.reason)});
  }
  proposed.basis = std::move(result->basis);
  proposed.basis.first_ordinal = ask.first_ordinal;
  // New ones only: promotions are not recomputed.
  proposed.basis.asked_count =
      std::min(ask.new_trials.value_or(ask.count), ask.count - static_cast<int32_t>(proposed.promotions.size()));
  proposed.exhausted = result->exhausted;
  proposed.exhausted_reason = std::move(result->exhausted_reason);
  proposed.forecast = result->forecast;
  proposed.waiting = result->waiting;
  proposed.waiting_reason = std::move(result->waiting_reason);
  if (proposed.proposals.empty() && proposed.promotions.empty() && !proposed.exhausted && !proposed.waiting) {
    proposed.error = absl::InternalError("the strategy proposed nothing and is not exhausted");
  }
  return proposed;
}

}  // namespace

bool Question::SameAs(const Question& other) const {
  return ask.first_ordinal == other.ask.first_ordinal && ask.count == other.ask.count &&
         ask.new_trials == other.ask.new_trials &&
         std::equal(pending.begin(), pending.end(), other.pending.begin(), other.pending.end(),
                    [](const auto& a, const auto& b) {
                      return a.number == b.number && a.resource == b.resource && a.paused == b.paused;
                    });
}

void JobStrategy::Changed() {
  fit_may_be_due_ = true;
  prepared_.reset();
}

void JobStrategy::Build(absl::StatusOr<std::unique_ptr<strategies::Strategy>> made,
                        std::vector<strategies::Observation> history) {
  if (!made.ok()) {
    error_ = made.status();
    return;
  }
  strategy_ = *std::move(made);
  for (const strategies::Observation& observation : history) strategy_->Observe(observation);
  Changed();
}

void JobStrategy::Observe(strategies::Observation observation) {
  if (strategy_ == nullptr) return;
  strategy_->Observe(observation);
  Changed();
}

std::unique_ptr<strategies::FitTask> JobStrategy::BeginFit() {
  fit_may_be_due_ = false;
  return strategy_ == nullptr ? nullptr : strategy_->BeginFit();
}

void JobStrategy::InstallFit(std::unique_ptr<strategies::FitTask> fit) {
  strategy_->InstallFit(std::move(fit));
  Changed();  // what was observed while it was made may make another one due
}

absl::StatusOr<strategies::Proposals> JobStrategy::Suggest(const Question& question, strategies::StopToken stop) const {
  if (strategy_ == nullptr) return error_;
  strategies::SuggestContext context;
  context.ordinal = question.ask.first_ordinal;
  context.count = question.ask.count;
  context.new_trials = question.ask.new_trials;
  context.pending = question.pending;
  context.stop = stop;
  return strategy_->Suggest(context);
}

bool JobStrategy::Prepare(const Question& question, strategies::StopToken stop) {
  absl::StatusOr<strategies::Proposals> result = Suggest(question, stop);
  if (*stop) return false;
  if (result.ok()) prepared_ = Prepared{question, *std::move(result)};
  return true;
}

core::Proposed JobStrategy::Answer(const Question& question, strategies::StopToken stop,
                                   strategies::StopToken dropped) {
  if (std::optional<Prepared> prepared = std::exchange(prepared_, std::nullopt);
      prepared.has_value() && prepared->question.SameAs(question)) {
    return ToProposed(question.ask, std::move(prepared->proposals));
  }
  absl::StatusOr<strategies::Proposals> result = Suggest(question, stop);
  // Without a model there is nothing to fall back to, and no long work either.
  const bool nothing =
      result.ok() && result->proposals.empty() && result->promotions.empty() && !result->exhausted && !result->waiting;
  if (nothing && *stop) result = Suggest(question, dropped);
  return ToProposed(question.ask, std::move(result));
}

}  // namespace tuner::engine
