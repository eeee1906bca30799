// What the fault-injecting wrapper injects; without faults it runs the conformance suite.
#include "tests/storage/faulty_storage.h"

#include <gmock/gmock.h>

#include <vector>

#include "storage/memory_storage.h"
#include "tests/storage/sample_data.h"

namespace tuner::storage {
namespace {

TEST(FaultyStorageTest, RefusesOrLosesTheAcknowledgement) {
  Fault fault = Fault::kNone;
  const std::unique_ptr<Storage> storage =
      MakeFaultyStorage(MakeMemoryStorage(), [&fault](WriteKind) { return fault; });
  ASSERT_TRUE(storage->CreateJob(SampleHeader("a")).ok());
  const std::vector<JobCommit> commits = {{"a", 1, 0, {core::TrialPut{SampleTrial(1)}}}, {"a", 2, 0, {}}};

  fault = Fault::kBefore;
  EXPECT_THAT(storage->Commit(commits), testing::Each(testing::Truly(absl::IsUnavailable)));
  EXPECT_EQ(storage->ReadJob("a")->revision, 1);
  EXPECT_TRUE(absl::IsUnavailable(storage->AcquireJob("a", "server", At(0), absl::Hours(1)).status()));
  EXPECT_TRUE(absl::IsUnavailable(storage->DeleteJob("a")));
  EXPECT_TRUE(storage->ReadJob("a").ok());

  fault = Fault::kAfter;
  EXPECT_THAT(storage->Commit(commits), testing::Each(testing::Truly(absl::IsUnavailable)));
  EXPECT_EQ(storage->ReadJob("a")->revision, 3);
  EXPECT_TRUE(absl::IsUnavailable(storage->AcquireJob("a", "server", At(0), absl::Hours(1)).status()));
  EXPECT_TRUE(absl::IsUnavailable(storage->ReleaseJob("a", 1)));

  fault = Fault::kNone;
  // The owner that does not know it can find out.
  EXPECT_EQ(storage->AcquireJob("a", "server", At(0), absl::Hours(1)).value(), 2);
  EXPECT_TRUE(storage->DeleteJob("a").ok());
}

}  // namespace
}  // namespace tuner::storage
