// Plays tests/dialogues/hyperband/*.txt against strategy "hyperband": each file is a story of what trials came to, with
// what the strategy wants to start below each question. TUNER_REWRITE_DIALOGUES=1 writes the files anew; review the
// difference.
//
//   job R ETA [min=N] [brackets=N] [sync] [maximize]
//   ask COUNT [new=N]     proposals become trials, promotions are carried out
//   reach TRIAL VALUE     the trial comes to the end of its resource, and is paused, or completed at R
//   end TRIAL failed|stopped|infeasible
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "strategies/strategy.h"
#include "tests/dialogue.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

using Words = std::vector<std::string>;

class HyperbandDialogue {
 public:
  std::string Tell(const std::string& line) {
    const Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.at(0) == "job") return Begin(words);
    if (words.at(0) == "ask") return Ask(words);
    core::Trial& trial = trials_.at(std::stoul(words.at(1)) - 1);
    if (words.at(0) == "reach") return Reach(trial, std::stod(words.at(2)));
    EXPECT_EQ(words.at(0), "end") << line;
    trial.state = words.at(2) == "failed"       ? core::TrialState::kFailed
                  : words.at(2) == "infeasible" ? core::TrialState::kInfeasible
                                                : core::TrialState::kStopped;
    strategy_->Observe(Finished{trial});
    return "";
  }

 private:
  std::string Begin(const Words& words) {
    v1::HyperbandStrategy options;
    options.set_max_resource(std::stoi(words.at(1)));
    options.set_eta(std::stoi(words.at(2)));
    options.set_sampler(v1::HyperbandStrategy::RANDOM);
    core::JobSpec spec;
    for (const std::string& word : words) {
      if (absl::StartsWith(word, "min=")) options.set_min_resource(std::stoi(word.substr(4)));
      if (absl::StartsWith(word, "brackets=")) options.set_brackets(std::stoi(word.substr(9)));
      if (word == "sync") options.set_synchronous(true);
      if (word == "maximize") spec.objective.goal = core::Goal::kMaximize;
    }
    spec.objective.metric = "loss";
    core::Parameter x;
    x.name = "x";
    x.domain = core::DoubleDomain{0, 1, core::Scale::kLinear, std::nullopt, std::nullopt};
    spec.space = core::SearchSpace::Make({x});
    spec.strategy = {"hyperband", options.SerializeAsString()};
    spec.resources = core::Resources{options.max_resource(), ""};
    const StrategyKind* kind = FindStrategyKind("hyperband");
    EXPECT_TRUE(kind->validate(spec).empty());
    strategy_ = *kind->make(spec);
    trials_.clear();
    most_ = options.max_resource();
    return "";
  }

  std::string Ask(const Words& words) {
    SuggestContext context;
    context.ordinal = static_cast<int64_t>(trials_.size());
    context.count = std::stoi(words.at(1));
    if (words.size() > 2) context.new_trials = std::stoi(words[2].substr(4));
    std::vector<PendingTrial> pending;
    for (const core::Trial& trial : trials_) {
      if (core::IsTerminal(trial.state)) continue;
      pending.push_back({trial.number, trial.parameters, trial.resource, trial.state == core::TrialState::kPaused});
    }
    context.pending = pending;
    const absl::StatusOr<Proposals> proposals = strategy_->Suggest(context);
    if (!proposals.ok()) return absl::StrCat(proposals.status().ToString(), "\n");
    std::string text;
    for (const ResumeTrial& promotion : proposals->promotions) {
      core::Trial& trial = trials_.at(static_cast<size_t>(promotion.trial) - 1);
      EXPECT_EQ(trial.state, core::TrialState::kPaused);
      EXPECT_GT(promotion.resource, trial.resource);
      trial.state = core::TrialState::kRunning;
      trial.resource = promotion.resource;
      absl::StrAppend(&text, "promote ", promotion.trial, " to ", promotion.resource, ": ", promotion.reason, "\n");
    }
    for (const NewTrial& fresh : proposals->proposals) {
      core::Trial trial;
      trial.number = static_cast<int32_t>(trials_.size()) + 1;
      trial.ordinal = static_cast<int64_t>(trials_.size());
      trial.parameters = fresh.parameters;
      trial.resource = fresh.resource;
      trial.state = core::TrialState::kRunning;
      absl::StrAppend(&text, "new ", trial.number, " at ", trial.resource, "\n");
      trials_.push_back(std::move(trial));
    }
    if (proposals->waiting) absl::StrAppend(&text, "waits: ", proposals->waiting_reason, "\n");
    return text;
  }

  std::string Reach(core::Trial& trial, double value) {
    EXPECT_EQ(trial.state, core::TrialState::kRunning);
    if (trial.resource == most_) {
      trial.state = core::TrialState::kCompleted;
      trial.objective = value;
      strategy_->Observe(Finished{trial});
      return "completed\n";
    }
    trial.state = core::TrialState::kPaused;
    trial.rungs.push_back({.resource = trial.resource, .objective = value});
    strategy_->Observe(RungReached{trial});
    return "";
  }

  std::unique_ptr<Strategy> strategy_;
  std::vector<core::Trial> trials_;
  int64_t most_ = 0;
};

class HyperbandDialogueTest : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(HyperbandDialogueTest, GoesAsWritten) {
  HyperbandDialogue dialogue;
  tuner::testing::PlayDialogue(GetParam(), [&](const std::string& line) { return dialogue.Tell(line); });
}

INSTANTIATE_TEST_SUITE_P(Hyperband, HyperbandDialogueTest,
                         ::testing::ValuesIn(tuner::testing::DialogueFiles(TUNER_DIALOGUES "/hyperband")),
                         [](const auto& test) { return test.param.stem().string(); });

}  // namespace
}  // namespace tuner::strategies
