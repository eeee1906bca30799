#include "tests/executors/scripted_http.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace tuner::executors {

ScriptedHttp::ScriptedHttp(Answer answer) : answer_(std::move(answer)) {
  char folder[] = "/tmp/tuner-http-XXXXXX";
  if (mkdtemp(folder) == nullptr) abort();
  folder_ = folder;
  path_ = folder_ + "/sock";
  listener_.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  closing_.Reset(eventfd(0, EFD_CLOEXEC));
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_.get(), 64) != 0) {
    abort();
  }
  thread_ = std::thread([this] { Accept(); });
}

ScriptedHttp::~ScriptedHttp() {
  eventfd_write(closing_.get(), 1);
  thread_.join();
  for (std::thread& answer : answers_) answer.join();
  unlink(path_.c_str());
  rmdir(folder_.c_str());
}

std::vector<std::string> ScriptedHttp::heads() const {
  absl::MutexLock lock(&mutex_);
  return heads_;
}

void ScriptedHttp::Write(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

void ScriptedHttp::Accept() {
  while (true) {
    struct pollfd fds[] = {{listener_.get(), POLLIN, 0}, {closing_.get(), POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[1].revents != 0) return;
    auto connection = std::make_shared<UniqueFd>(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    answers_.emplace_back([this, connection] {
      std::string head;
      char c;
      while (head.find("\r\n\r\n") == std::string::npos && read(connection->get(), &c, 1) == 1) head += c;
      {
        absl::MutexLock lock(&mutex_);
        heads_.push_back(head);
      }
      answer_(connection->get(), head);
    });
  }
}

}  // namespace tuner::executors
