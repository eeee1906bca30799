#include "strategies/transfer_models.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "strategies/warm_start.h"

namespace tuner::strategies {
namespace {

// Rows of all parents together, and of each.
constexpr size_t kMostRows = 500;
constexpr size_t kMostRowsOfOne = 200;
constexpr int64_t kLeastRows = 4;
constexpr size_t kBestRows = 3;
// Of the fidelity's column: what a parent says of a point does not depend on it.
constexpr double kEndlessLength = 1e6;

gp::Posterior AtAnyFidelity(const gp::Posterior& posterior) {
  gp::KernelParameters parameters = posterior.parameters();
  parameters.log_length.tail(1).setConstant(std::log(kEndlessLength));
  return gp::Posterior(posterior.points(), posterior.groups(), parameters);
}

}  // namespace

TransferModels::TransferModels(const core::JobSpec& spec, std::shared_ptr<const gp::Encoder> encoder,
                               std::vector<BayesianOutput> outputs, std::vector<gp::FitOptions> options,
                               gp::FitPlan plan)
    : encoder_(std::move(encoder)), options_(std::move(options)), plan_(std::move(plan)), seed_(spec.random_seed) {
  const core::ParentJobs& parents = *spec.warm_start->jobs;
  const size_t most = std::min(kMostRowsOfOne, kMostRows / parents.size());
  for (size_t p = 0; p < parents.size(); ++p) {
    const std::vector<ParentRow> rows = RowsOf(parents[p], spec, *encoder_, {});
    std::vector<double> values;
    for (const ParentRow& row : rows) values.push_back(outputs.front().ValueOf(*row.trial));
    Task task{.parent = p, .observations = std::vector<gp::Observations>(outputs.size()), .best = {}};
    std::vector<std::pair<double, size_t>> inside;
    for (const size_t place : ChosenRows(values, most, seed_ + p)) {
      const ParentRow& row = rows[place];
      for (size_t i = 0; i < outputs.size(); ++i) {
        task.observations[i].Add(*encoder_, row.units, outputs[i].ValueOf(*row.trial));
      }
      if (row.inside && !std::isnan(values[place])) inside.emplace_back(values[place], place);
    }
    std::ranges::stable_sort(inside, std::greater(), &std::pair<double, size_t>::first);
    for (size_t i = 0; i < std::min(inside.size(), kBestRows); ++i) task.best.push_back(rows[inside[i].second].units);
    if (task.observations.front().size() >= kLeastRows) tasks_.push_back(std::move(task));
  }
}

std::optional<TransferModel> TransferModels::Fit(const Task& task, StopToken stop) const {
  TransferModel model{.parent = task.parent, .posteriors = {}, .best = task.best};
  for (size_t i = 0; i < task.observations.size(); ++i) {
    const gp::Observations& observations = task.observations[i];
    const int64_t rows = observations.size();
    const std::optional<gp::Fit> fit = gp::MakeFit(observations, encoder_->column_groups(), encoder_->group_count(),
                                                   rows, rows, std::nullopt, plan_, options_[i], seed_, stop);
    if (!fit.has_value()) return std::nullopt;
    auto posterior =
        std::make_shared<gp::Posterior>(encoder_->with_fidelity() ? AtAnyFidelity(*fit->posterior) : *fit->posterior);
    const gp::OutputWarp warp = gp::OutputWarp::Fit(observations.values, options_[i].warp);
    posterior->SetLabels(gp::LabelsAt(warp, fit->rows), /*constant_mean=*/true);
    model.posteriors.push_back(std::move(posterior));
  }
  return model;
}

const std::vector<TransferModel>* TransferModels::Get(StopToken stop) {
  absl::MutexLock lock(&mutex_);
  if (models_.has_value()) return &*models_;
  std::vector<TransferModel> models;
  for (const Task& task : tasks_) {
    std::optional<TransferModel> model = Fit(task, stop);
    if (!model.has_value()) return nullptr;
    models.push_back(*std::move(model));
  }
  models_ = std::move(models);
  tasks_.clear();
  return &*models_;
}

}  // namespace tuner::strategies
