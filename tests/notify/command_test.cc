#include "tuner/notify/command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "executors/unique_fd.h"

namespace tuner::notify {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class CommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "notify-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  CommandCall Shell(const std::string& script) const {
    CommandCall call;
    call.command = {"sh", "-c", script};
    call.folder = folder_;
    call.environment = CommandEnvironment();
    call.input = "{\"event\":\"JOB_ENDED\"}\n";
    return call;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  std::string folder_;
  const executors::UniqueFd stop_{eventfd(0, EFD_CLOEXEC)};
};

TEST_F(CommandTest, GetsTheMessageInTheJobsFolder) {
  const absl::Status status = RunCommand(Shell("cat > told"), stop_.get());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Read("told"), "{\"event\":\"JOB_ENDED\"}\n");
}

TEST_F(CommandTest, NeedNotReadWhatItIsTold) {
  CommandCall call = Shell("true");
  call.input.assign(1 << 20, 'x');
  EXPECT_TRUE(RunCommand(call, stop_.get()).ok());
}

TEST_F(CommandTest, SaysHowItFailed) {
  EXPECT_THAT(RunCommand(Shell("echo no such channel >&2; exit 3"), stop_.get()).message(),
              HasSubstr("exit code 3; it printed: no such channel"));
  EXPECT_THAT(RunCommand(Shell("kill -9 $$"), stop_.get()).message(), HasSubstr("signal 9"));
  CommandCall missing = Shell("");
  missing.command = {"no-such-program-there-is"};
  EXPECT_THAT(RunCommand(missing, stop_.get()).message(), HasSubstr("cannot be started"));
}

TEST_F(CommandTest, DoesNotGetTheServersToken) {
  setenv("TUNER_TOKEN", "secret", 1);
  setenv("NOTIFY_TEST", "kept", 1);
  const absl::Status status = RunCommand(Shell("echo \"$TUNER_TOKEN/$NOTIFY_TEST\" > seen"), stop_.get());
  unsetenv("TUNER_TOKEN");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Read("seen"), "/kept\n");
}

TEST_F(CommandTest, IsKilledWithWhatItStartedWhenItsTimeIsOver) {
  // A pipe whose reader sees it when the last of them is gone.
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const executors::UniqueFd reader(open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  CommandCall call = Shell("exec 7>pipe; sleep 1000 & sleep 1000");
  call.timeout = absl::Seconds(2);
  EXPECT_THAT(RunCommand(call, stop_.get()).message(), HasSubstr("did not end within"));
  pollfd fd = {reader.get(), 0, 0};
  EXPECT_EQ(poll(&fd, 1, 60'000), 1);
  EXPECT_NE(fd.revents & POLLHUP, 0);
}

TEST_F(CommandTest, IsKilledWhenTheServerEnds) {
  std::thread stopper([this] {
    while (!fs::exists(folder_ + "/started")) std::this_thread::yield();
    const uint64_t one = 1;
    ASSERT_EQ(write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  });
  const absl::Status status = RunCommand(Shell("touch started; sleep 1000"), stop_.get());
  stopper.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

}  // namespace
}  // namespace tuner::notify
