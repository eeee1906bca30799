// The conformance suite's tests by chance: random operations against a naive twin, and threads side by side.
// TUNER_STORAGE_SEED: repeats the run of one seed.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/sample_data.h"
#include "tests/storage/storage_conformance.h"

namespace tuner::storage {
namespace {

using Key = core::TrialOrder::Key;

// The simplest store that could be right: lists, searched from end to end.
struct NaiveJob {
  std::string name;
  int64_t created = 0;
  JobRecord record;
  Epoch epoch = 0;
  std::string owner;
  absl::Time lease_end;
  std::vector<core::Trial> trials;
  std::vector<core::MeasurementPut> measurements;
  std::map<int64_t, core::Notification> notifications;
  std::vector<core::Changes> log;  // of revisions 1, 2, ...
};

bool SameKey(const core::MeasurementPut& a, const core::MeasurementPut& b) {
  return a.trial == b.trial && a.measurement.attempt == b.measurement.attempt &&
         a.measurement.metric == b.measurement.metric && a.measurement.step == b.measurement.step;
}

class NaiveStore {
 public:
  NaiveJob* Find(const std::string& name) {
    const auto it = std::ranges::find(jobs, name, &NaiveJob::name);
    return it == jobs.end() ? nullptr : &*it;
  }

  absl::StatusCode Create(const core::JobHeader& header) {
    if (Find(header.job_id) != nullptr) return absl::StatusCode::kAlreadyExists;
    NaiveJob job;
    job.name = header.job_id;
    job.created = ++created;
    job.record = {header, 1};
    job.log.push_back({core::JobPut{header}});
    jobs.push_back(job);
    return absl::StatusCode::kOk;
  }

  absl::StatusCode Commit(const JobCommit& commit) {
    NaiveJob* job = Find(commit.job_id);
    if (job == nullptr) return absl::StatusCode::kNotFound;
    if (commit.seen != job->record.revision || commit.epoch != job->epoch) return absl::StatusCode::kAborted;
    for (const core::Change& change : commit.changes) Put(change, *job);
    ++job->record.revision;
    job->log.push_back(commit.changes);
    return absl::StatusCode::kOk;
  }

  absl::StatusOr<Epoch> Acquire(const std::string& name, const std::string& server, absl::Time now,
                                absl::Duration lease) {
    NaiveJob* job = Find(name);
    if (job == nullptr) return absl::NotFoundError("");
    if (!job->owner.empty() && job->owner != server && now < job->lease_end) return absl::FailedPreconditionError("");
    job->owner = server;
    job->lease_end = now + lease;
    return ++job->epoch;
  }

  absl::StatusCode Release(const std::string& name, Epoch epoch) {
    NaiveJob* job = Find(name);
    if (job == nullptr) return absl::StatusCode::kNotFound;
    if (job->epoch != epoch) return absl::StatusCode::kAborted;
    job->owner = "";
    return absl::StatusCode::kOk;
  }

  absl::StatusCode Delete(const std::string& name) {
    return std::erase_if(jobs, [&name](const NaiveJob& job) { return job.name == name; }) == 1
               ? absl::StatusCode::kOk
               : absl::StatusCode::kNotFound;
  }

  static LoadedJob Load(const NaiveJob& job) {
    LoadedJob loaded{job.record, job.trials, {}, Due(job)};
    std::ranges::sort(loaded.trials, {}, &core::Trial::number);
    for (const core::MeasurementPut& put : job.measurements) {
      const auto trial = std::ranges::find(job.trials, put.trial, &core::Trial::number);
      if (trial != job.trials.end() && !core::IsTerminal(trial->state)) loaded.measurements.push_back(put);
    }
    return loaded;
  }

  static std::vector<core::Notification> Due(const NaiveJob& job) {
    std::vector<core::Notification> due;
    for (const auto& [number, notification] : job.notifications) {
      if (notification.state == core::NotificationState::kDue) due.push_back(notification);
    }
    return due;
  }

  static std::vector<core::Measurement> MeasurementsOf(const NaiveJob& job, int32_t trial) {
    std::vector<core::Measurement> measurements;
    for (const core::MeasurementPut& put : job.measurements) {
      if (put.trial == trial) measurements.push_back(put.measurement);
    }
    return measurements;
  }

  // With the values of now, each once: header, trials, measurements, notifications.
  static core::Changes ChangesOf(const NaiveJob& job, Revision revision) {
    core::Changes header;
    core::Changes trials;
    core::Changes measurements;
    core::Changes notifications;
    std::vector<int64_t> told;
    std::vector<int32_t> numbers;
    std::vector<core::MeasurementPut> keys;
    for (const core::Change& change : job.log[revision - 1]) {
      if (std::holds_alternative<core::JobPut>(change)) header = {core::JobPut{job.record.header}};
      if (const auto* trial = std::get_if<core::TrialPut>(&change)) {
        if (std::ranges::count(numbers, trial->trial.number) > 0) continue;
        numbers.push_back(trial->trial.number);
        trials.push_back(core::TrialPut{*std::ranges::find(job.trials, numbers.back(), &core::Trial::number)});
      }
      if (const auto* put = std::get_if<core::MeasurementPut>(&change)) {
        const auto same = [put](const core::MeasurementPut& other) { return SameKey(*put, other); };
        if (std::ranges::any_of(keys, same)) continue;
        keys.push_back(*put);
        measurements.push_back(*std::ranges::find_if(job.measurements, same));
      }
      if (const auto* put = std::get_if<core::NotificationPut>(&change)) {
        if (std::ranges::count(told, put->notification.number) > 0) continue;
        told.push_back(put->notification.number);
        notifications.push_back(core::NotificationPut{job.notifications.at(told.back())});
      }
    }
    header.insert(header.end(), trials.begin(), trials.end());
    header.insert(header.end(), measurements.begin(), measurements.end());
    header.insert(header.end(), notifications.begin(), notifications.end());
    return header;
  }

  std::vector<NaiveJob> jobs;  // in order of creation
  int64_t created = 0;

 private:
  static void Put(const core::Change& change, NaiveJob& job) {
    if (const auto* header = std::get_if<core::JobPut>(&change)) job.record.header = header->header;
    if (const auto* put = std::get_if<core::NotificationPut>(&change)) {
      job.notifications[put->notification.number] = put->notification;
    }
    if (const auto* trial = std::get_if<core::TrialPut>(&change)) {
      std::erase_if(job.trials, [trial](const core::Trial& other) { return other.number == trial->trial.number; });
      job.trials.push_back(trial->trial);
    }
    if (const auto* put = std::get_if<core::MeasurementPut>(&change)) {
      const auto same = [put](const core::MeasurementPut& other) { return SameKey(*put, other); };
      const auto it = std::ranges::find_if(job.measurements, same);
      if (it != job.measurements.end()) {
        *it = *put;
      } else {
        job.measurements.push_back(*put);
      }
    }
  }
};

// One random operation on both, compared.
class Comparison {
 public:
  Comparison(uint64_t seed, Storage& storage) : random_(seed), storage_(&storage) {}
  void Use(Storage& storage) { storage_ = &storage; }
  Random& random() { return random_; }

  void Step() {
    switch (Below(random_, 12)) {
      case 0: {
        const core::JobHeader header = RandomHeader(random_, DrawJob());
        EXPECT_EQ(storage_->CreateJob(header).code(), naive_.Create(header));
        return;
      }
      case 1: {
        if (Below(random_, 4) != 0) return;
        const std::string name = DrawJob();
        EXPECT_EQ(storage_->DeleteJob(name).code(), naive_.Delete(name));
        return;
      }
      case 2:
        return Own();
      case 3:
        return CompareJob();
      case 4:
        return CompareChanges();
      case 5:
        return CompareTrials();
      case 6:
        return CompareJobs();
      default:
        return Commit();
    }
  }

 private:
  std::string DrawJob() { return std::string(1, static_cast<char>('a' + Below(random_, 3))); }

  void Own() {
    const std::string name = DrawJob();
    if (Below(random_, 3) == 0) {
      const NaiveJob* job = naive_.Find(name);
      const Epoch epoch = (job == nullptr ? 1 : job->epoch) - Below(random_, 2);
      EXPECT_EQ(storage_->ReleaseJob(name, epoch).code(), naive_.Release(name, epoch));
      return;
    }
    now_ += Below(random_, 20);
    const std::string server = Below(random_, 2) == 0 ? "one" : "two";
    const absl::StatusOr<Epoch> epoch = storage_->AcquireJob(name, server, At(now_), absl::Seconds(30));
    const absl::StatusOr<Epoch> expected = naive_.Acquire(name, server, At(now_), absl::Seconds(30));
    EXPECT_EQ(epoch.status().code(), expected.status().code());
    EXPECT_EQ(epoch.value_or(0), expected.value_or(0));
  }

  void Commit() {
    std::vector<JobCommit> group;
    std::vector<absl::StatusCode> expected;
    for (int64_t size = 1 + Below(random_, 4); size > 0; --size) {
      JobCommit commit{DrawJob(), 1, 1, {}};
      if (const NaiveJob* job = naive_.Find(commit.job_id); job != nullptr) {
        commit.seen = job->record.revision - (Below(random_, 10) == 0 ? 1 : 0);
        commit.epoch = job->epoch - (Below(random_, 10) == 0 ? 1 : 0);
      }
      if (Below(random_, 4) == 0) commit.changes.push_back(core::JobPut{RandomHeader(random_, commit.job_id)});
      for (int64_t i = Below(random_, 4); i > 0; --i) {
        const auto number = static_cast<int32_t>(1 + Below(random_, 12));
        commit.changes.push_back(core::TrialPut{RandomTrial(random_, number)});
        for (int64_t m = Below(random_, 4); m > 0; --m) commit.changes.push_back(RandomMeasurement(random_, number));
      }
      for (int64_t i = Below(random_, 3); i > 0; --i) {
        commit.changes.push_back(RandomNotification(random_, 1 + Below(random_, 6)));
      }
      expected.push_back(naive_.Commit(commit));
      group.push_back(std::move(commit));
    }
    std::vector<absl::StatusCode> codes;
    for (const absl::Status& status : storage_->Commit(group)) codes.push_back(status.code());
    EXPECT_EQ(codes, expected);
  }

  void CompareJob() {
    const std::string name = DrawJob();
    const NaiveJob* job = naive_.Find(name);
    const absl::StatusOr<LoadedJob> loaded = storage_->LoadJob(name);
    ASSERT_EQ(loaded.ok(), job != nullptr) << loaded.status();
    EXPECT_EQ(loaded.ok() ? Text(*loaded) : "", job != nullptr ? Text(NaiveStore::Load(*job)) : "");
  }

  void CompareChanges() {
    const std::string name = DrawJob();
    const NaiveJob* job = naive_.Find(name);
    if (job == nullptr) return;
    const Revision after = Below(random_, job->record.revision + 1);
    const int limit = static_cast<int>(1 + Below(random_, 10));
    ChangePage expected{{}, job->record.revision};
    for (Revision revision = after + 1; revision <= job->record.revision && std::ssize(expected.entries) < limit;
         ++revision) {
      expected.entries.push_back({revision, NaiveStore::ChangesOf(*job, revision)});
    }
    const absl::StatusOr<ChangePage> page = storage_->ReadChanges(name, after, limit);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(Text(*page), Text(expected));
  }

  // A walk through all pages.
  void CompareTrials() {
    TrialQuery query;
    if (Below(random_, 2) == 0) query.job_id = DrawJob();
    query.limit = static_cast<int>(1 + Below(random_, 12));
    query.order = {static_cast<Key>(Below(random_, 5)), Below(random_, 2) == 0};
    query.include_measurements = Below(random_, 2) == 0;
    const absl::StatusOr<core::TrialFilter> filter = core::TrialFilter::Parse("state = COMPLETED OR number < 4");
    ASSERT_TRUE(filter.ok()) << filter.status();
    if (Below(random_, 2) == 0) query.filter = &*filter;
    if (!query.job_id.empty() && naive_.Find(query.job_id) == nullptr) {
      EXPECT_EQ(storage_->ListTrials(query).status().code(), absl::StatusCode::kNotFound);
      return;
    }
    std::string text;
    do {
      const absl::StatusOr<TrialPage> page = storage_->ListTrials(query);
      ASSERT_TRUE(page.ok()) << page.status();
      for (const TrialPage::Entry& entry : page->entries) absl::StrAppend(&text, Text(entry));
      query.after = page->next;
    } while (!query.after.empty());
    EXPECT_EQ(text, ExpectedTrials(query));
  }

  std::string ExpectedTrials(const TrialQuery& query) {
    struct Found {
      const NaiveJob* job;
      const core::Trial* trial;
    };
    std::vector<Found> found;
    for (const NaiveJob& job : naive_.jobs) {
      for (const core::Trial& trial : job.trials) {
        if (!query.job_id.empty() && query.job_id != job.name) continue;
        if (query.filter == nullptr || query.filter->Matches(trial, job.record.header.tags))
          found.push_back({&job, &trial});
      }
    }
    const bool by_number = query.order.key == Key::kNumber;
    std::ranges::sort(found, [&](const Found& a, const Found& b) {
      const auto job_before = [](const Found& x, const Found& y) { return x.job->created < y.job->created; };
      if (by_number && a.job != b.job) return query.order.descending ? job_before(b, a) : job_before(a, b);
      // Ties of another key: by job before number, which Before does not know.
      core::Trial x = *a.trial;
      core::Trial y = *b.trial;
      if (!by_number && a.job != b.job) x.number = y.number = 1;
      if (query.order.Before(x, y)) return true;
      if (query.order.Before(y, x)) return false;
      return job_before(a, b);
    });
    std::string text;
    for (const auto& [job, trial] : found) {
      TrialPage::Entry entry{job->name, *trial, {}};
      if (query.include_measurements) entry.measurements = NaiveStore::MeasurementsOf(*job, trial->number);
      absl::StrAppend(&text, Text(entry));
    }
    return text;
  }

  void CompareJobs() {
    JobQuery query;
    if (Below(random_, 2) == 0) query.statuses = {core::JobStatus::kRunning, core::JobStatus::kFailed};
    if (Below(random_, 3) == 0) query.tags = {{"team", "vision"}};
    if (Below(random_, 3) == 0) query.created_after = At(Below(random_, 1000));
    query.with_due_notifications = Below(random_, 3) == 0;
    JobPage expected;
    for (auto job = naive_.jobs.rbegin(); job != naive_.jobs.rend(); ++job) {
      const core::JobHeader& header = job->record.header;
      if (!query.statuses.empty() && std::ranges::count(query.statuses, header.status) == 0) continue;
      if (!query.tags.empty() && (!header.tags.contains("team") || header.tags.at("team") != "vision")) continue;
      if (query.created_after && header.create_time < *query.created_after) continue;
      if (query.with_due_notifications && NaiveStore::Due(*job).empty()) continue;
      expected.jobs.push_back(job->record);
    }
    const absl::StatusOr<JobPage> page = storage_->ListJobs(query);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(Text(*page), Text(expected));
  }

  Random random_;
  Storage* storage_;
  NaiveStore naive_;
  int64_t now_ = 0;
};

TEST_P(StorageConformance, EqualsANaiveTwinWhateverIsDone) {
  const char* given = std::getenv("TUNER_STORAGE_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  SCOPED_TRACE(absl::StrCat("TUNER_STORAGE_SEED=", seed));
  Comparison comparison(seed, storage());
  for (int i = 0; i < 600 && !HasFailure(); ++i) {
    SCOPED_TRACE(absl::StrCat("step ", i));
    comparison.Step();
    if (Below(comparison.random(), 50) == 0) {
      Reopen();
      comparison.Use(storage());
    }
  }
}

// Threads

TEST_P(StorageConformance, ServesManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kCommits = 40;
  std::vector<Epoch> epochs;
  for (int i = 0; i < kThreads; ++i) epochs.push_back(CreateOwned(absl::StrCat("job", i)));
  std::atomic<bool> done = false;
  std::vector<std::thread> writers;
  for (int i = 0; i < kThreads; ++i) {
    writers.emplace_back([this, i, &epochs] {
      const std::string name = absl::StrCat("job", i);
      for (int32_t n = 1; n <= kCommits; ++n) {
        const std::vector<JobCommit> commits = {
            {name,
             n,
             epochs[i],
             {core::TrialPut{SampleTrial(n)}, SampleMeasurement(n, 1, n), SampleMeasurement(n, 2, n)}}};
        const absl::Status status = storage().Commit(commits).front();
        ASSERT_TRUE(status.ok()) << status;
        // What this thread was told is what it reads.
        ASSERT_EQ(storage().ReadJob(name)->revision, n + 1);
      }
    });
  }
  std::vector<std::thread> readers;
  for (int i = 0; i < kThreads; ++i) {
    readers.emplace_back([this, i, &done] {
      const std::string name = absl::StrCat("job", i);
      while (!done) {
        // A job is seen as of one commit, never in between.
        const absl::StatusOr<LoadedJob> job = storage().LoadJob(name);
        ASSERT_TRUE(job.ok()) << job.status();
        ASSERT_EQ(std::ssize(job->trials), job->record.revision - 1);
        ASSERT_EQ(std::ssize(job->measurements), 2 * (job->record.revision - 1));
        const absl::StatusOr<TrialPage> page =
            storage().ListTrials({.job_id = name, .limit = 1'000, .include_measurements = true});
        ASSERT_TRUE(page.ok()) << page.status();
        for (const TrialPage::Entry& entry : page->entries) ASSERT_EQ(std::ssize(entry.measurements), 2);
      }
    });
  }
  for (std::thread& thread : writers) thread.join();
  done = true;
  for (std::thread& thread : readers) thread.join();
  for (int i = 0; i < kThreads; ++i) EXPECT_EQ(storage().ReadJob(absl::StrCat("job", i))->revision, kCommits + 1);
}

TEST_P(StorageConformance, LetsOneOfManyThreadsWin) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 25;
  const Epoch epoch = CreateOwned("a");
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int32_t i = 1; i <= kThreads; ++i) {
    threads.emplace_back([this, i, epoch, &won] {
      for (Revision seen = 1; seen <= kRounds;) {
        const std::vector<JobCommit> commits = {{"a", seen, epoch, {core::TrialPut{SampleTrial(i)}}}};
        const absl::Status status = storage().Commit(commits).front();
        ASSERT_TRUE(status.ok() || absl::IsAborted(status)) << status;
        if (status.ok()) ++won;
        seen = storage().ReadJob("a")->revision;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Each revision is one thread's.
  EXPECT_EQ(storage().ReadJob("a")->revision, won + 1);
}

}  // namespace
}  // namespace tuner::storage
