// Layers outside the service testify, and are told what the ledger says; what they told last is
// kept.
#include <google/protobuf/util/time_util.h>

#include <future>

#include "service_world.h"
#include "support/witness_client.h"

namespace stock {
namespace {

using google::protobuf::util::TimeUtil;
using support::WitnessClient;
using ::testing::ElementsAre;

class ServiceTestimonyTest : public ServiceTest {
 protected:
  void TearDown() override {
    support::Sql sql = primary().connect();
    sql.exec("DELETE FROM stock.incident");
    sql.exec("DELETE FROM stock.testimony");
  }
  // Versions 1 to 3 of it: 40, 80 and 120 on hand.
  static void book(StockClient& client, const std::string& sku) {
    client.create_location("main", "Main");
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.adjust(sku, "main", 40).ok());
  }
  static v1::Testimony available(const std::string& sku, std::int64_t units,
                                 const std::string& witness = "storefront") {
    v1::Testimony said;
    said.set_witness(witness);
    said.set_instance("tab-1");
    said.mutable_key()->set_sku(sku);
    said.mutable_key()->set_location("main");
    said.set_available(units);
    return said;
  }
  // What is told of a request's only testimony.
  static v1::JudgedTestimony told_of(WitnessClient& witness,
                                     const v1::SubmitTestimoniesRequest& request) {
    const auto heard = witness.submit(request);
    EXPECT_EQ(heard.code, 0) << heard.message;
    if (heard.response.judged_size() != 1) return {};
    return heard.response.judged(0);
  }
  static v1::Finding judged(WitnessClient& witness, const v1::SubmitTestimoniesRequest& request) {
    return told_of(witness, request).finding();
  }
  static v1::Finding judged(WitnessClient& witness, const v1::Testimony& said) {
    return judged(witness, many(said, 1));
  }
  // Nobody is accused of being behind until it is on record since when everybody had seen better.
  static v1::Finding stale_in_the_end(WitnessClient& witness, const v1::Testimony& said) {
    return in_the_end(witness, said, v1::VERDICT_STALE);
  }
  // As long as another transaction is open, nobody can say.
  static v1::Finding in_the_end(WitnessClient& witness, const v1::Testimony& said,
                                v1::Verdict verdict) {
    v1::Finding finding;
    EXPECT_TRUE(eventually(
        [&] {
          finding = judged(witness, said);
          return finding.verdict();
        },
        Eq(verdict)));
    return finding;
  }
  // At an instant of the witness's own clock.
  static v1::SubmitTestimoniesRequest sent(const v1::Testimony& said,
                                           std::chrono::milliseconds from_now) {
    v1::SubmitTestimoniesRequest request;
    *request.add_testimonies() = said;
    *request.mutable_sent_at() = TimeUtil::MillisecondsToTimestamp(
        TimeUtil::TimestampToMilliseconds(TimeUtil::GetCurrentTime()) + from_now.count());
    return request;
  }
  // So many times what the ledger has to be asked for.
  static v1::SubmitTestimoniesRequest many(const v1::Testimony& said, int times) {
    v1::SubmitTestimoniesRequest request;
    for (int i = 0; i < times; ++i) *request.add_testimonies() = said;
    return request;
  }
  static auto waiting(const StockdProcess& stockd) {
    return [&stockd] { return metric(stockd, "stock_testimony_queue_length"); };
  }
  static std::vector<v1::Finding> explained(StockClient& client, const std::string& sku) {
    v1::ExplainStockLevelRequest request;
    request.set_sku(sku);
    request.set_location("main");
    const auto answer = client.explain(request);
    EXPECT_TRUE(answer.ok()) << answer.message;
    std::vector<v1::Finding> outside;
    for (const v1::KeyExplanation& key : answer.response.keys()) {
      for (const v1::Finding& finding : key.findings()) {
        if (finding.statement().has_testimony()) outside.push_back(finding);
      }
    }
    return outside;
  }
  static auto open_incidents(StockClient& client) {
    return [&client] {
      v1::ListIncidentsRequest request;
      request.set_open(true);
      return client.incidents(request).response.incidents_size();
    };
  }
};

TEST_F(ServiceTestimonyTest, each_claim_gets_its_verdict_and_the_truth) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  book(client, "shirt");

  const auto heard = witness.submit(available("shirt", 120));
  ASSERT_EQ(heard.code, 0) << heard.message;
  ASSERT_EQ(heard.response.judged_size(), 1);
  const v1::JudgedTestimony& current = heard.response.judged(0);
  EXPECT_EQ(current.finding().verdict(), v1::VERDICT_CURRENT);
  EXPECT_EQ(current.truth().counts().available(), 120);
  EXPECT_EQ(current.truth().version(), 3);
  EXPECT_EQ(current.finding().statement().witness(), "storefront");
  EXPECT_EQ(current.finding().statement().testimony().available(), 120);
  EXPECT_EQ(heard.response.provenance().instance(), heard.response.instance());

  EXPECT_EQ(judged(witness, available("shirt", 41)).verdict(), v1::VERDICT_NEVER_TRUE);
  v1::Testimony said = available("shirt", 80);
  said.mutable_age()->set_seconds(3600);
  const v1::Finding stale = stale_in_the_end(witness, said);
  EXPECT_EQ(stale.units(), -40);
  EXPECT_EQ(stale.versions(), 1);
  said.set_version(3);
  EXPECT_EQ(judged(witness, said).verdict(), v1::VERDICT_WRONG_COUNT);
  said.set_version(9);
  in_the_end(witness, said, v1::VERDICT_AHEAD);
  said.set_version(0);
  said.set_in_stock(false);
  EXPECT_EQ(judged(witness, said).verdict(), v1::VERDICT_STALE);  // before the first version
  said.set_absent(true);
  EXPECT_EQ(judged(witness, said).verdict(), v1::VERDICT_STALE);
  said.mutable_counts()->set_on_hand(120);
  EXPECT_EQ(judged(witness, said).verdict(), v1::VERDICT_CURRENT);
  v1::Testimony never = available("nowhere", 0);
  EXPECT_EQ(judged(witness, never).verdict(), v1::VERDICT_CURRENT);
  EXPECT_EQ(metric(stockd, "stock_testimonies_total{layer=\"storefront\",verdict=\"never_true\"}"),
            1);
  EXPECT_EQ(metric(stockd, "stock_consistency_examined_total{layer=\"storefront\"}"), 9);
}

TEST_F(ServiceTestimonyTest, what_memory_confirms_costs_no_database_anything) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  book(client, "warm");
  ASSERT_TRUE(eventually([&] { return trail_of(client.get("warm", "main").response.provenance()); },
                         Eq("memory hit")));
  // The feed may be behind for a moment.
  EXPECT_TRUE(eventually(
      [&] { return trail_of(witness.submit(available("warm", 120)).response.provenance()); },
      Eq("memory hit")));
  EXPECT_EQ(trail_of(witness.submit(available("warm", 80)).response.provenance()), "primary hit");
}

TEST_F(ServiceTestimonyTest, who_is_not_in_the_roster_or_says_nothing_is_refused) {
  StockdProcess stockd(primary_only({"--witnesses", "storefront,kiosk"}));
  WitnessClient witness(stockd.address());
  const auto unknown = witness.submit(available("shirt", 1, "offline"));
  EXPECT_EQ(unknown.code, kInvalidArgument);
  EXPECT_THAT(unknown.message, HasSubstr("storefront, kiosk"));
  v1::Testimony said = available("shirt", 1, "kiosk");
  said.clear_available();
  EXPECT_EQ(witness.submit(said).code, kInvalidArgument);
  said.set_available(2'000'000'000'000'000);
  EXPECT_EQ(witness.submit(said).code, kInvalidArgument);
  said.set_available(1);
  said.set_version(-1);
  EXPECT_EQ(witness.submit(said).code, kInvalidArgument);
  said.set_version(0);
  said.mutable_age()->set_seconds(-1);
  EXPECT_EQ(witness.submit(said).code, kInvalidArgument);
  EXPECT_EQ(witness.submit(v1::SubmitTestimoniesRequest()).code, kInvalidArgument);
  EXPECT_EQ(metric(stockd, "stock_testimonies_refused_total{reason=\"malformed\"}"), 5);
}

TEST_F(ServiceTestimonyTest, sold_units_are_counted_in_their_window) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  book(client, "sold");
  for (const int units : {3, 4}) {
    v1::CreateReservationRequest reserve;
    v1::ReservedUnits& line = *reserve.add_lines();
    line.mutable_key()->set_sku("sold");
    line.mutable_key()->set_location("main");
    line.set_quantity(units);
    reserve.mutable_ttl()->set_seconds(600);
    const auto reserved = client.reserve(reserve);
    ASSERT_TRUE(reserved.ok()) << reserved.message;
    v1::CommitReservationRequest commit;
    commit.set_reservation_id(reserved.response.reservation().id());
    ASSERT_TRUE(client.commit(commit).ok());
  }
  const std::int64_t now = TimeUtil::TimestampToSeconds(TimeUtil::GetCurrentTime());
  v1::Testimony said = available("sold", 0, "analytics");
  said.mutable_key()->clear_location();
  said.mutable_sold()->mutable_from()->set_seconds(now - 3600);
  said.mutable_sold()->mutable_until()->set_seconds(now + 3600);
  const auto counted = [&](std::int64_t units) {
    said.mutable_sold()->set_units(units);
    return told_of(witness, many(said, 1));
  };
  // What was sold a moment ago it need not know yet.
  EXPECT_EQ(counted(4).finding().verdict(), v1::VERDICT_CURRENT);
  EXPECT_EQ(counted(7).finding().verdict(), v1::VERDICT_CURRENT);
  EXPECT_EQ(counted(7).sold_at_most(), 7);
  EXPECT_EQ(counted(9).finding().verdict(), v1::VERDICT_OVERCOUNTED);
  EXPECT_EQ(counted(9).finding().units(), 2);
  EXPECT_THAT(counted(9).finding().words(), StartsWith("9 sold, 2 more than the ledger has; from"));
  said.mutable_sold()->mutable_until()->set_seconds(now - 1800);
  EXPECT_EQ(counted(1).finding().verdict(), v1::VERDICT_OVERCOUNTED);
  EXPECT_EQ(counted(0).finding().verdict(), v1::VERDICT_CURRENT);
}

TEST_F(ServiceTestimonyTest, a_clock_that_is_wrong_accuses_nobody_and_excuses_nothing) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  book(client, "clock");
  stale_in_the_end(witness, available("clock", 80));
  for (const auto ahead : {std::chrono::milliseconds(1h), std::chrono::milliseconds(-1h)}) {
    // Each clock is another witness's: of none it is known how far it is off.
    const auto says = [&](std::int64_t units) {
      v1::Testimony said = available("clock", units);
      said.set_instance(ahead > 0ms ? "ahead" : "behind");
      return judged(witness, sent(said, ahead)).verdict();
    };
    EXPECT_EQ(says(120), v1::VERDICT_CURRENT);
    // It keeps to itself when it held, and so does its clock: behind, but no liar.
    if (ahead > 0ms) {
      EXPECT_TRUE(eventually([&] { return says(80); }, Eq(v1::VERDICT_STALE)));
    } else {
      EXPECT_EQ(says(80), v1::VERDICT_INCONCLUSIVE);
    }
    EXPECT_EQ(says(99), v1::VERDICT_NEVER_TRUE);
  }
}

TEST_F(ServiceTestimonyTest, what_was_told_last_is_kept_over_restarts_for_all_instances) {
  v1::Testimony said = available("kept", 80, "offline");
  said.set_cohort("members");
  said.mutable_age()->set_seconds(3600);
  {
    StockdProcess stockd(primary_only());
    StockClient client(stockd.address());
    WitnessClient witness(stockd.address());
    book(client, "kept");
    stale_in_the_end(witness, said);
    EXPECT_TRUE(eventually([&] { return explained(client, "kept").size(); }, Eq(1)));
  }
  StockdProcess one(primary_only());
  StockdProcess other(primary_only());
  StockClient client(other.address());
  const auto findings = explained(client, "kept");
  ASSERT_EQ(findings.size(), 1);
  EXPECT_EQ(findings[0].verdict(), v1::VERDICT_STALE);
  EXPECT_EQ(findings[0].statement().witness(), "offline");
  EXPECT_EQ(findings[0].statement().instance(), "tab-1");
  EXPECT_EQ(findings[0].statement().testimony().cohort(), "members");
  EXPECT_THAT(findings[0].words(),
              AllOf(StartsWith("80 was true from"), HasSubstr("to cohort members; told ")));
  // What is told to one instance, all explain.
  WitnessClient witness(one.address());
  said.set_available(120);
  said.clear_age();
  EXPECT_EQ(judged(witness, said).verdict(), v1::VERDICT_CURRENT);
  EXPECT_TRUE(eventually([&] { return explained(client, "kept").front().verdict(); },
                         Eq(v1::VERDICT_CURRENT)));
}

TEST_F(ServiceTestimonyTest, a_lie_is_an_incident_until_its_witness_says_otherwise) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  book(client, "incident");
  EXPECT_EQ(judged(witness, available("incident", 41)).verdict(), v1::VERDICT_NEVER_TRUE);
  ASSERT_TRUE(eventually(open_incidents(client), Eq(1)));
  v1::ListIncidentsRequest request;
  request.set_layer("storefront");
  const auto listed = client.incidents(request).response;
  ASSERT_EQ(listed.incidents_size(), 1);
  EXPECT_EQ(listed.incidents(0).verdict(), v1::VERDICT_NEVER_TRUE);
  EXPECT_THAT(listed.incidents(0).witnesses(), ElementsAre("storefront@tab-1"));
  EXPECT_EQ(listed.incidents(0).evidence().words(), "no version ever had 41; true is 120");
  EXPECT_EQ(judged(witness, available("incident", 120)).verdict(), v1::VERDICT_CURRENT);
  EXPECT_TRUE(eventually(open_incidents(client), Eq(0)));
}

TEST_F(ServiceTestimonyTest, a_stream_answers_each_request_in_order) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  book(client, "stream");
  std::vector<v1::SubmitTestimoniesRequest> requests;
  for (const std::int64_t units : {120, 41, 120}) {
    *requests.emplace_back().add_testimonies() = available("stream", units);
  }
  std::vector<v1::SubmitTestimoniesResponse> answers;
  EXPECT_EQ(witness.stream(requests, answers).code, 0);
  ASSERT_EQ(answers.size(), 3);
  EXPECT_EQ(answers[0].judged(0).finding().verdict(), v1::VERDICT_CURRENT);
  EXPECT_EQ(answers[1].judged(0).finding().verdict(), v1::VERDICT_NEVER_TRUE);
  // The first that is refused ends it.
  requests[1].mutable_testimonies(0)->set_witness("nobody");
  answers.clear();
  EXPECT_EQ(witness.stream(requests, answers).code, kInvalidArgument);
  EXPECT_EQ(answers.size(), 1);
}

// The browser was offline, and sends its reports of then.
TEST_F(ServiceTestimonyTest, what_comes_late_is_judged_by_its_own_date_and_is_no_news) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("late", "main", 40).ok());
  // Its clock is an hour ahead, which is known once its reports have kept pace for a while.
  const auto skew_of = [&] { return judged(witness, sent(available("late", 40), 1h)).statement(); };
  ASSERT_TRUE(eventually([&] { return skew_of().has_clock_skew(); }, Eq(true)));
  const v1::SubmitTestimoniesRequest then = sent(available("late", 40), 1h);
  const v1::SubmitTestimoniesRequest lie = sent(available("late", 41), 1h);
  // Time passes until it is too old to be news: a transit and the uncertainty of its clock.
  ASSERT_TRUE(eventually(
      [&] {
        return TimeUtil::TimestampToMilliseconds(TimeUtil::GetCurrentTime()) + 3'600'000 -
               TimeUtil::TimestampToMilliseconds(then.sent_at());
      },
      Gt(8000)));
  ASSERT_TRUE(client.adjust("late", "main", 80).ok());
  EXPECT_EQ(judged(witness, available("late", 120)).verdict(), v1::VERDICT_CURRENT);
  const std::string nines = "stock_consistency_examined_total{layer=\"storefront\"}";
  const double examined = metric(stockd, nines);

  const v1::Finding finding = judged(witness, then);
  EXPECT_EQ(finding.verdict(), v1::VERDICT_CURRENT) << finding.words();
  EXPECT_EQ(judged(witness, lie).verdict(), v1::VERDICT_NEVER_TRUE);
  EXPECT_EQ(metric(stockd, nines), examined);
  // What it said last by its own date is still its last word; nobody was told of a lie.
  v1::Testimony marker = available("late", 39);
  marker.set_instance("tab-2");
  EXPECT_EQ(judged(witness, marker).verdict(), v1::VERDICT_NEVER_TRUE);
  ASSERT_TRUE(eventually([&] { return explained(client, "late").size(); }, Eq(2)));
  for (const v1::Finding& kept : explained(client, "late")) {
    const bool last = kept.statement().instance() == "tab-1";
    EXPECT_EQ(kept.statement().testimony().available(), last ? 120 : 39);
  }
  ASSERT_TRUE(eventually(open_incidents(client), Eq(1)));
  v1::ListIncidentsRequest open;
  open.set_open(true);
  EXPECT_THAT(client.incidents(open).response.incidents(0).witnesses(),
              ElementsAre("storefront@tab-2"));
}

// A lock on the horizon of history holds up all who judge claims of units sold, and no reads: 512
// testimonies are with those who judge, the rest waits.
TEST_F(ServiceTestimonyTest, a_full_queue_refuses_while_reads_go_on_and_all_who_wait_are_answered) {
  StockdProcess stockd(primary_only(
      {"--testimony-queue", "1000", "--primary-timeout", "20s", "--audit-budget", "0%"}));
  StockClient client(stockd.address());
  WitnessClient witness(stockd.address());
  book(client, "flood");
  v1::Testimony said = available("flood", 0, "analytics");
  said.mutable_sold()->set_units(5);
  said.mutable_sold()->mutable_from()->set_seconds(1'000'000'000);
  said.mutable_sold()->mutable_until()->set_seconds(2'000'000'000);
  support::Sql sql = primary().connect();
  sql.exec("BEGIN; LOCK TABLE stock.horizon IN ACCESS EXCLUSIVE MODE");
  auto first = std::async(std::launch::async, [&] { return witness.submit(many(said, 512)); });
  EXPECT_TRUE(eventually(waiting(stockd), Eq(512)));
  auto second = std::async(std::launch::async, [&] { return witness.submit(many(said, 88)); });
  EXPECT_TRUE(eventually(waiting(stockd), Eq(600)));

  const auto refused = witness.submit(many(said, 600));
  EXPECT_EQ(refused.code, kResourceExhausted) << refused.message;
  EXPECT_TRUE(refused.retry_told);
  EXPECT_EQ(metric(stockd, "stock_testimonies_refused_total{reason=\"busy\"}"), 600);
  EXPECT_TRUE(client.get("flood", "main", fully_consistent()).ok());

  // Whoever waits no more makes room.
  auto late = std::async(std::launch::async, [&] { return witness.submit(many(said, 300), 5s); });
  EXPECT_TRUE(eventually(waiting(stockd), Eq(900)));
  EXPECT_TRUE(eventually(waiting(stockd), Eq(600)));
  EXPECT_EQ(late.get().code, kDeadlineExceeded);
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, "stock_testimonies_refused_total{reason=\"unjudged\"}"); },
      Eq(300)));

  sql.exec("ROLLBACK");
  for (auto* waited : {&first, &second}) {
    const auto heard = waited->get();
    ASSERT_EQ(heard.code, 0) << heard.message;
    for (const v1::JudgedTestimony& one : heard.response.judged()) {
      EXPECT_EQ(one.finding().verdict(), v1::VERDICT_OVERCOUNTED);
    }
  }
  EXPECT_EQ(metric(stockd, "stock_testimonies_total{layer=\"analytics\",verdict=\"overcounted\"}"),
            600);
  EXPECT_EQ(waiting(stockd)(), 0);
}

}  // namespace
}  // namespace stock
