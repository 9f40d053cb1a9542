#include "stock/drift/testimony_desk.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

namespace stock::drift {
namespace {

// How often those that wait are looked through.
constexpr std::chrono::milliseconds kLookEvery(50);

absl::Status too_late() { return absl::DeadlineExceededError("it waited too long to be judged"); }

}  // namespace

struct TestimonyDesk::Submission {
  std::vector<Testimony> testimonies;  // until they are dated
  domain::LocalTime arrived;
  domain::LocalTime deadline;
  Done done;
  Heard heard;
  std::mutex mutex;      // guards the next two
  std::size_t left = 0;  // that are not judged yet
  absl::Status status;
};

TestimonyDesk::TestimonyDesk(Options options, HistoryDesk& history,
                             const feed::LedgerIdentity& identity,
                             const clock::DatabaseClock& database_clock,
                             const clock::LocalClock& clock,
                             std::vector<TestimonyListener*> listeners)
    : options_(std::move(options)),
      history_(history),
      identity_(identity),
      database_clock_(database_clock),
      clock_(clock),
      listeners_(std::move(listeners)),
      clocks_(options_.clocks),
      thread_([this] { run(); }) {}

TestimonyDesk::~TestimonyDesk() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  wake_.wait(lock, [this] { return judging_ == 0; });
  lock.unlock();
  thread_.join();
}

void TestimonyDesk::submit(std::vector<Testimony> testimonies, domain::LocalTime deadline,
                           Done done) {
  const std::size_t count = testimonies.size();
  if (waiting_.fetch_add(count, std::memory_order_relaxed) + count > options_.queue) {
    waiting_.fetch_sub(count, std::memory_order_relaxed);
    return done(absl::ResourceExhaustedError(
        "more witnesses testify than can be judged; try again in a while"));
  }
  auto submission = std::make_shared<Submission>();
  submission->testimonies = std::move(testimonies);
  submission->arrived = clock_.now();
  submission->deadline = std::min(deadline, submission->arrived + options_.timeout);
  submission->done = std::move(done);
  submission->left = count;
  const std::lock_guard lock(mutex_);
  arrived_.push_back(std::move(submission));
  wake_.notify_all();
}

void TestimonyDesk::run() {
  domain::LocalTime looked = clock_.now();
  std::unique_lock lock(mutex_);
  while (true) {
    const auto arrived = [this] { return stopping_ || !arrived_.empty(); };
    if (open_.empty()) {
      wake_.wait(lock, arrived);
    } else {
      wake_.wait_for(lock, kLookEvery, arrived);
    }
    if (stopping_ && arrived_.empty()) return;
    std::vector<Open> expired;
    if (const domain::LocalTime now = clock_.now(); now - looked >= kLookEvery) {
      looked = now;
      expired = take_expired();
    }
    std::shared_ptr<Submission> submission;
    if (!arrived_.empty()) {
      submission = std::move(arrived_.front());
      arrived_.pop_front();
    }
    lock.unlock();
    for (const Open& open : expired) settle(open, 1, too_late());
    if (submission) hear(submission);
    lock.lock();
  }
}

std::vector<TestimonyDesk::Open> TestimonyDesk::take_expired() {
  const auto first = std::stable_partition(
      open_.begin(), open_.end(),
      [now = clock_.now()](const Open& open) { return now <= open.submission->deadline; });
  std::vector<Open> expired(std::make_move_iterator(first), std::make_move_iterator(open_.end()));
  open_.erase(first, open_.end());
  return expired;
}

// What memory confirms is judged at once.
void TestimonyDesk::hear(const std::shared_ptr<Submission>& submission) {
  Heard& heard = submission->heard;
  const std::size_t count = submission->testimonies.size();
  const auto earliest = database_clock_.earliest(submission->arrived);
  const auto latest = database_clock_.latest(submission->arrived);
  if (!earliest || !latest) {
    return settle({submission, 0}, count,
                  absl::UnavailableError("what the database's clock reads is not known yet"));
  }
  const Span arrived{.earliest = *earliest, .latest = *latest};
  heard.judged.resize(count);
  heard.told.reserve(count);
  std::vector<Open> open;
  for (Testimony& testimony : submission->testimonies) {
    std::optional<Skew> skew;
    if (testimony.sent_at) {
      skew = clocks_.heard(testimony.witness, testimony.instance, *testimony.sent_at, arrived);
    }
    const Dates dates = date(testimony, arrived, skew);
    const std::size_t index = heard.told.size();
    heard.told.push_back({std::move(testimony), dates});
    if (!judge_by_memory(heard.told[index], heard.judged[index])) {
      open.push_back({submission, index});
    }
  }
  const std::size_t confirmed = count - open.size();
  if (!open.empty()) {
    const std::lock_guard lock(mutex_);
    open_.insert(open_.end(), open.begin(), open.end());
  }
  if (confirmed > 0) settle({submission, 0}, confirmed, absl::OkStatus());
  if (!open.empty()) send_judges();
}

bool TestimonyDesk::judge_by_memory(const Told& told, Judged& judged) const {
  const Testimony& testimony = told.testimony;
  if (options_.memory == nullptr || testimony.extent == Extent::kSold ||
      !options_.memory_in_use()) {
    return false;
  }
  layers::Answer answer;
  options_.memory->read({&testimony.key, 1}, {&answer, 1}, {}, [](const std::string&) {});
  const domain::Reading& said = answer.reading;
  if (!answer.found() || said.incarnation != identity_.current()) return false;
  const auto age = database_clock_.age(said.true_through, clock_.now());
  if (!age || age->worst() > options_.fresh) return false;
  KeyHistory history{.newest = said.version,
                     .current = {.exists = said.exists,
                                 .counts = said.counts,
                                 .committed_at = said.as_of,
                                 .seen_by = std::nullopt,
                                 .shown_by = std::nullopt},
                     .versions = {},
                     .incarnation = said.incarnation};
  Finding finding{.claim = claim_of(testimony, told.dates),
                  .judgement = judge(testimony, told.dates, history),
                  .newest = said.version,
                  .truth = history.current};
  if (finding.judgement.verdict != Verdict::kCurrent || finding.newest != said.version) {
    return false;
  }
  judged = {.finding = std::move(finding),
            .sold = {},
            .incarnation = said.incarnation,
            .by_memory = true,
            .true_through = said.true_through};
  return true;
}

// As many as there may be at a time; each goes on until nothing waits.
void TestimonyDesk::send_judges() {
  domain::LocalTime deadline;
  {
    const std::lock_guard lock(mutex_);
    if (open_.empty() || judging_ >= options_.judges) return;
    ++judging_;
    deadline = clock_.now() + options_.timeout;
  }
  history_.submit(deadline, [this](absl::StatusOr<Archive*> archive) {
    while (true) {
      std::vector<Open> batch;
      {
        // Whoever comes now either is seen here or sends a judge of his own.
        const std::lock_guard lock(mutex_);
        if (open_.empty()) {
          --judging_;
          wake_.notify_all();
          return;
        }
        const auto end =
            open_.begin() + static_cast<std::ptrdiff_t>(std::min(open_.size(), options_.batch));
        batch.assign(open_.begin(), end);
        open_.erase(open_.begin(), end);
      }
      judge_batch(archive, std::move(batch));
    }
  });
}

void TestimonyDesk::judge_batch(absl::StatusOr<Archive*>& archive, std::vector<Open> batch) {
  const domain::LocalTime asked = clock_.now();
  std::vector<const Told*> told;
  std::vector<Open> of;
  for (Open& open : batch) {
    if (open.submission->deadline < asked) {
      settle(open, 1, too_late());
      continue;
    }
    told.push_back(&open.submission->heard.told[open.index]);
    of.push_back(std::move(open));
  }
  auto judged = archive.ok() ? judge_by(**archive, told, std::nullopt)
                             : absl::StatusOr<std::vector<Judged>>(archive.status());
  const auto through = database_clock_.earliest(asked);
  for (std::size_t i = 0; i < of.size(); ++i) {
    if (judged.ok()) {
      Judged& one = of[i].submission->heard.judged[of[i].index];
      one = std::move((*judged)[i]);
      one.true_through = through.value_or(domain::DatabaseTime{});
    }
    settle(of[i], 1, judged.status());
  }
}

// So many of its testimonies are judged, or will never be.
void TestimonyDesk::settle(const Open& open, std::size_t testimonies, const absl::Status& status) {
  Submission& submission = *open.submission;
  waiting_.fetch_sub(testimonies, std::memory_order_relaxed);
  {
    const std::lock_guard lock(submission.mutex);
    submission.left -= testimonies;
    submission.status.Update(status);
    if (submission.left > 0) return;
  }
  finish(submission);
}

void TestimonyDesk::finish(Submission& submission) {
  if (!submission.status.ok()) return submission.done(submission.status);
  for (std::size_t i = 0; i < submission.heard.told.size(); ++i) {
    for (TestimonyListener* listener : listeners_) {
      listener->judged(submission.heard.told[i], submission.heard.judged[i]);
    }
  }
  submission.done(std::move(submission.heard));
}

}  // namespace stock::drift
