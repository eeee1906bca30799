#include "tuner/requests/provenance.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/definitions.h"
#include "executors/docker_api.h"
#include "tuner/requests/git.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::requests {
namespace {

namespace fs = std::filesystem;

// SHA-256 of a regular file, or nullopt. Never waits: a device or a pipe is no regular file.
std::optional<std::string> HashFile(const std::string& path, int64_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  const absl::Cleanup closer = [fd] { close(fd); };
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > max_bytes) return std::nullopt;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return std::nullopt;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<size_t>(got));
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context.get(), digest, &size) != 1) return std::nullopt;
  return absl::StrCat("sha256:",
                      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size)));
}

// The folder in which a process trial of this job runs.
std::string WorkingDir(const core::JobSpec& spec, const v1::ProcessExecutor& process) {
  std::error_code error;
  fs::path folder = spec.base_dir.empty() ? fs::current_path(error) : fs::path(spec.base_dir);
  if (!process.working_dir().empty()) folder /= process.working_dir();
  return folder.lexically_normal().string();
}

// Digest of a container's image, if its reference holds one or its engine has the image now.
std::string ImageDigest(const v1::ContainerExecutor& container) {
  const std::string& image = container.image();
  if (const size_t at = image.find('@'); at != std::string::npos) return image.substr(at + 1);
  executors::HttpClient http;
  const executors::DockerApi engine(&http,
                                    container.socket().empty() ? executors::DefaultEngineSocket() : container.socket());
  const absl::StatusOr<executors::ImageState> state = engine.InspectImage(image, nullptr);
  if (!state.ok()) return "";
  if (state->repo_digests.empty()) return state->id;
  const std::string& digest = state->repo_digests.front();
  return digest.substr(digest.find('@') + 1);
}

// Of the first process among the executors of a definition.
void AddProvenance(const core::JobSpec& spec, const ProvenanceLimits& limits, v1::Provenance& out) {
  for (const core::ExecutorChoice& choice : spec.trial.executors) {
    v1::ContainerExecutor container;
    if (choice.options.name == "container" && container.ParseFromString(choice.options.bytes)) {
      out.set_command(container.command().empty() ? container.image() : absl::StrJoin(container.command(), " "));
      out.set_image_digest(ImageDigest(container));
      std::error_code error;
      out.set_git_revision(
          GitRevision(spec.base_dir.empty() ? fs::current_path(error).string() : spec.base_dir, limits.git_timeout));
      break;
    }
    v1::ProcessExecutor process;
    if (choice.options.name != "process" || !process.ParseFromString(choice.options.bytes)) continue;
    const std::string folder = WorkingDir(spec, process);
    const std::string command = absl::StrJoin(process.command(), " ");
    out.set_command(out.command().empty() ? command : absl::StrCat(out.command(), "; ", command));
    for (const std::string& word : process.command()) {
      if (out.file_hashes_size() >= limits.max_files) break;
      if (word.empty() || word.front() == '-') continue;
      if (const auto hash = HashFile((fs::path(folder) / word).string(), limits.max_file_bytes)) {
        (*out.mutable_file_hashes())[word] = *hash;
      }
    }
    if (out.git_revision().empty()) out.set_git_revision(GitRevision(folder, limits.git_timeout));
    break;
  }
}

}  // namespace

v1::Provenance FindProvenance(const core::JobSpec& spec, const ProvenanceLimits& limits) {
  v1::Provenance out;
  out.set_server_version(ServerVersion());
  for (int d = 0; d < core::DefinitionCount(spec); ++d) AddProvenance(core::DefinitionAt(spec, d), limits, out);
  return out;
}

const char* ServerVersion() { return TUNER_VERSION; }

}  // namespace tuner::requests
