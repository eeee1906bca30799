#include "tuner/notify/webhook.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace tuner::notify {
namespace {

// Once for the process, before the first handle. Never undone: other threads may use the libraries below it.
bool CurlIsReady() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

size_t DropAnswer(char* /*data*/, size_t size, size_t count, void* /*unused*/) { return size * count; }

int AskStop(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stop)->load() ? 1 : 0;
}

// An answer of any length is read to its end only within the time for all of it.
void SetOptions(CURL* curl, const WebhookCall& call, curl_slist* headers, const std::atomic<bool>& stop) {
  curl_easy_setopt(curl, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, absl::ToInt64Milliseconds(call.connect_timeout));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, absl::ToInt64Milliseconds(call.timeout));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &DropAnswer);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &AskStop);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(&stop));
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

}  // namespace

absl::Status PostWebhook(const WebhookCall& call, const std::atomic<bool>& stop) {
  if (!CurlIsReady()) return absl::UnavailableError("libcurl could not be initialised");
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) return absl::UnavailableError("libcurl has no handle");
  curl_slist* list = nullptr;
  for (const std::string& header : call.headers) list = curl_slist_append(list, header.c_str());
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, &curl_slist_free_all);
  SetOptions(curl.get(), call, headers.get(), stop);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return absl::UnavailableError(
        absl::StrCat("the webhook did not answer within ", absl::FormatDuration(call.timeout)));
  }
  if (code != CURLE_OK) return absl::UnavailableError(absl::StrCat("the webhook: ", curl_easy_strerror(code)));
  long answer = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer);
  if (answer >= 200 && answer < 300) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the webhook answered HTTP ", answer,
                                             answer >= 300 && answer < 400 ? ", and redirects are not followed" : ""));
}

}  // namespace tuner::notify
