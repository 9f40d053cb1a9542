// What cohorts see, by a flag service that says what the test wants: in reads, in the list of
// forks, and in explanations; and what is told while it does not answer.
#include "service_world.h"
#include "support/fake_flagd.h"
#include "support/tcp_gate.h"

namespace stock {
namespace {

using support::FakeFlagd;
using support::say;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using Response = ::flagd::evaluation::v1::ResolveAllResponse;

// The cap of cohort beta; everybody else has none.
FakeFlagd::Flags capped(double units) {
  return [units](const std::string& cohort, const std::string&, const std::string&) {
    Response response;
    const bool beta = cohort == "beta";
    say(response, "black-friday", beta ? units : -1.0, beta ? "capped" : "uncapped",
        beta ? "TARGETING_MATCH" : "DEFAULT");
    say(response, "recalled", false, "off", "STATIC");
    say(response, "sale-over", false, "off", "STATIC");
    return response;
  };
}

double seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

class ServiceFlagsTest : public ServiceTest {
 protected:
  StockdProcess::Options options(const std::string& address, std::vector<std::string> more = {}) {
    std::vector<std::string> flags = {
        "--flags-address", address,
        "--flags",         "recalled=hide,black-friday=cap,sale-over=end-sale",
        "--cohorts",       "beta,public",
        "--flags-timeout", "5s"};  // the machine may be slow
    flags.insert(flags.end(), more.begin(), more.end());
    return all_layers(std::move(flags));
  }
  // What is read from here on shows it, wherever it is read from.
  void book(StockClient& client, const std::string& sku, std::int64_t units) {
    client.create_location("main", "Main");
    const auto booked = client.adjust(sku, "main", units);
    ASSERT_TRUE(booked.ok()) << booked.message;
    token_ = booked.response.token();
  }
  auto get(StockClient& client, const std::string& sku, const std::string& cohort) {
    v1::GetStockLevelRequest request;
    request.mutable_key()->set_sku(sku);
    request.mutable_key()->set_location("main");
    request.set_cohort(cohort);
    if (!token_.empty()) *request.mutable_consistency() = support::as_fresh_as(token_);
    return client.get(request);
  }
  v1::FlaggedAvailability view(StockClient& client, const std::string& sku,
                               const std::string& cohort) {
    const auto answer = get(client, sku, cohort);
    EXPECT_TRUE(answer.ok()) << answer.message;
    return answer.response.level().flagged();
  }
  std::int64_t sees(StockClient& client, const std::string& sku, const std::string& cohort) {
    return view(client, sku, cohort).available();
  }

 private:
  std::string token_;
};

TEST_F(ServiceFlagsTest, a_cohort_sees_what_the_flags_let_it_see_and_the_counts_stay) {
  FakeFlagd flagd(capped(5));
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  book(client, "cap", 120);
  const auto answer = get(client, "cap", "beta");
  ASSERT_TRUE(answer.ok()) << answer.message;
  EXPECT_EQ(answer.response.level().counts().available(), 120);
  const auto& flagged = answer.response.level().flagged();
  EXPECT_EQ(flagged.cohort(), "beta");
  EXPECT_EQ(flagged.available(), 5);
  EXPECT_FALSE(flagged.hidden());
  ASSERT_EQ(flagged.evaluations_size(), 3);
  const auto& cap = flagged.evaluations(1);
  EXPECT_EQ(cap.flag(), "black-friday");
  EXPECT_EQ(cap.effect(), v1::FLAG_EFFECT_CAP);
  EXPECT_TRUE(cap.applies());
  EXPECT_EQ(cap.variant(), "capped");
  EXPECT_EQ(cap.reason(), "TARGETING_MATCH");
  EXPECT_EQ(cap.cap(), 5);
  EXPECT_FALSE(cap.unreachable());
  EXPECT_TRUE(cap.has_age());
  EXPECT_FALSE(flagged.evaluations(0).applies());
  EXPECT_EQ(sees(client, "cap", "public"), 120);
  EXPECT_EQ(sees(client, "cap", "nobody has heard of them"), 120);
  EXPECT_FALSE(get(client, "cap", "").response.level().has_flagged());
}

TEST_F(ServiceFlagsTest, a_flag_hides_or_ends_the_sale) {
  FakeFlagd flagd([](const std::string&, const std::string& sku, const std::string&) {
    Response response;
    say(response, "recalled", sku == "hide", "v");
    say(response, "sale-over", sku == "end", "v");
    return response;
  });
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  book(client, "hide", 7);
  book(client, "end", 7);
  const auto hidden = view(client, "hide", "beta");
  EXPECT_TRUE(hidden.hidden());
  EXPECT_EQ(hidden.available(), 0);
  const auto ended = view(client, "end", "beta");
  EXPECT_TRUE(ended.sale_ended());
  EXPECT_EQ(ended.available(), 0);
  // Said nothing of.
  EXPECT_EQ(hidden.evaluations(1).variant(), "");
  EXPECT_FALSE(hidden.evaluations(1).unreachable());
}

TEST_F(ServiceFlagsTest, a_batch_is_flagged_key_by_key_also_where_there_is_no_level) {
  FakeFlagd flagd([](const std::string&, const std::string& sku, const std::string& location) {
    Response response;
    say(response, "black-friday", sku == "b1" && location == "main" ? 1.0 : 2.0, sku);
    return response;
  });
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  book(client, "b1", 9);
  book(client, "b2", 9);
  v1::BatchGetStockLevelsRequest request;
  for (const char* sku : {"b1", "b2", "none", "b1"}) {
    v1::Key& key = *request.add_keys();
    key.set_sku(sku);
    key.set_location("main");
  }
  request.set_cohort("beta");
  const auto answer = client.batch(request);
  ASSERT_TRUE(answer.ok()) << answer.message;
  std::vector<std::int64_t> seen;
  for (const auto& level : answer.response.levels()) seen.push_back(level.flagged().available());
  EXPECT_THAT(seen, ElementsAre(1, 2, 0, 1));
  EXPECT_EQ(flagd.evaluations(), 3);
}

TEST_F(ServiceFlagsTest, what_was_said_is_kept_until_the_flags_change) {
  FakeFlagd flagd(capped(5));
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  book(client, "kept", 120);
  ASSERT_TRUE(eventually([&] { return flagd.streams(); }, Eq(1)));
  EXPECT_EQ(sees(client, "kept", "beta"), 5);
  // Once the stream is known to be there, one evaluation serves all.
  ASSERT_TRUE(eventually([&] {
    const int before = flagd.evaluations();
    sees(client, "kept", "beta");
    return flagd.evaluations() == before;
  }));
  const int evaluations = flagd.evaluations();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(sees(client, "kept", "beta"), 5);
  EXPECT_EQ(flagd.evaluations(), evaluations);
  EXPECT_GE(metric(stockd, "stock_flag_lookups_total{outcome=\"hit\"}"), 20);
  // It grows old between probes only.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually(
        [&] { return seconds(view(client, "kept", "beta").evaluations(1).age()); }, Lt(0.2)));
  }
  flagd.set(capped(7));
  EXPECT_TRUE(eventually([&] { return sees(client, "kept", "beta"); }, Eq(7)));
  EXPECT_EQ(flagd.evaluations(), evaluations + 1);
}

TEST_F(ServiceFlagsTest, a_service_that_is_gone_is_told_with_what_it_said_last_and_how_long_ago) {
  FakeFlagd flagd(capped(5));
  support::TcpGate gate(flagd.port());
  StockdProcess stockd(options("127.0.0.1:" + std::to_string(gate.port())));
  StockClient client(stockd.address());
  book(client, "gone", 120);
  ASSERT_TRUE(eventually([&] { return sees(client, "gone", "beta"); }, Eq(5)));
  EXPECT_EQ(metric(stockd, "stock_flag_up"), 1);
  gate.cut();
  ASSERT_TRUE(eventually([&] { return view(client, "gone", "beta").evaluations(1).unreachable(); },
                         Eq(true)));
  const auto first = view(client, "gone", "beta");
  EXPECT_EQ(first.available(), 5);
  EXPECT_EQ(first.evaluations(1).variant(), "capped");
  EXPECT_TRUE(eventually([&] { return seconds(view(client, "gone", "beta").evaluations(1).age()); },
                         Gt(seconds(first.evaluations(1).age()) + 1)));
  EXPECT_EQ(sees(client, "gone", "beta"), 5);
  // Nothing is known of this one.
  const auto unknown = view(client, "gone", "public");
  EXPECT_EQ(unknown.available(), 120);
  EXPECT_TRUE(unknown.evaluations(1).unreachable());
  EXPECT_EQ(unknown.evaluations(1).variant(), "");
  EXPECT_FALSE(unknown.evaluations(1).has_age());
  EXPECT_EQ(metric(stockd, "stock_flag_up"), 0);
  EXPECT_GE(metric(stockd, "stock_flag_age_seconds"), 1);
  EXPECT_GE(
      metric(stockd, "stock_flag_evaluations_total{flag=\"black-friday\",reason=\"last_known\"}"),
      2);
  EXPECT_THAT(stockd.get("/readyz").body, HasSubstr("the flag service does not answer"));
  EXPECT_EQ(stockd.get("/readyz").status, 200);
  flagd.set_quietly(capped(6));
  gate.open();
  ASSERT_TRUE(eventually([&] { return sees(client, "gone", "beta"); }, Eq(6)));
  EXPECT_TRUE(eventually([&] { return view(client, "gone", "beta").evaluations(1).unreachable(); },
                         Eq(false)));
}

TEST_F(ServiceFlagsTest, by_policy_there_are_no_flags_while_their_service_does_not_answer) {
  FakeFlagd flagd(capped(5));
  support::TcpGate gate(flagd.port());
  StockdProcess stockd(
      options("127.0.0.1:" + std::to_string(gate.port()), {"--flags-down", "unflagged"}));
  StockClient client(stockd.address());
  book(client, "open", 120);
  ASSERT_TRUE(eventually([&] { return sees(client, "open", "beta"); }, Eq(5)));
  gate.cut();
  ASSERT_TRUE(eventually([&] { return sees(client, "open", "beta"); }, Eq(120)));
  const auto told = view(client, "open", "beta").evaluations(1);
  EXPECT_TRUE(told.unreachable());
  EXPECT_EQ(told.variant(), "");
  gate.open();
  EXPECT_TRUE(eventually([&] { return sees(client, "open", "beta"); }, Eq(5)));
}

TEST_F(ServiceFlagsTest, a_service_that_hangs_costs_one_wait_and_reads_without_a_cohort_none) {
  FakeFlagd flagd(capped(5));
  StockdProcess stockd(options(flagd.address(), {"--flags-timeout", "10s"}));
  StockClient client(stockd.address());
  for (int i = 0; i < 10; ++i) book(client, "hang" + std::to_string(i), 120);
  ASSERT_TRUE(eventually([&] { return sees(client, "hang0", "beta"); }, Eq(5)));
  flagd.delay(1h);
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto begun = now();
  for (int i = 1; i < 10; ++i) {
    EXPECT_TRUE(get(client, "hang" + std::to_string(i), "").ok());
  }
  EXPECT_LT(now() - begun, 10s);
  // Some wait, until it is known; then nobody does.
  for (int i = 1; i < 10; ++i) sees(client, "hang" + std::to_string(i), "beta");
  EXPECT_LT(now() - begun, 40s);
  EXPECT_EQ(metric(stockd, "stock_flag_up"), 0);
  EXPECT_GE(metric(stockd, "stock_flag_errors_total{kind=\"timeout\"}"), 1);
}

TEST_F(ServiceFlagsTest, values_of_the_wrong_kind_change_nothing_and_are_counted) {
  FakeFlagd flagd([](auto&&...) {
    Response response;
    say(response, "black-friday", true, "on");
    say(response, "recalled", 1.0, "one");
    return response;
  });
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  book(client, "kind", 3);
  EXPECT_EQ(sees(client, "kind", "beta"), 3);
  EXPECT_EQ(
      metric(stockd, "stock_flag_evaluations_total{flag=\"black-friday\",reason=\"misused\"}"), 1);
  EXPECT_EQ(metric(stockd, "stock_flag_evaluations_total{flag=\"recalled\",reason=\"misused\"}"),
            1);
  EXPECT_EQ(metric(stockd, "stock_flag_evaluations_total{flag=\"sale-over\",reason=\"absent\"}"),
            1);
}

TEST_F(ServiceFlagsTest, forks_are_listed_contradictions_first) {
  FakeFlagd flagd(capped(5));
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  book(client, "few", 2);
  book(client, "many", 120);
  EXPECT_THAT(client.forks().response.forks(), IsEmpty());
  sees(client, "few", "beta");
  sees(client, "many", "beta");
  const auto lately = client.forks();
  ASSERT_TRUE(lately.ok()) << lately.message;
  ASSERT_THAT(lately.response.forks(), SizeIs(1));
  const v1::Fork& fork = lately.response.forks(0);
  EXPECT_TRUE(fork.forked());
  EXPECT_EQ(fork.truth().key().sku(), "many");
  EXPECT_EQ(fork.truth().counts().available(), 120);
  ASSERT_THAT(fork.cohorts(), SizeIs(2));
  EXPECT_EQ(fork.cohorts(0).cohort(), "beta");
  EXPECT_EQ(fork.cohorts(0).available(), 5);
  EXPECT_EQ(fork.cohorts(1).cohort(), "public");
  EXPECT_EQ(fork.cohorts(1).available(), 120);
  v1::ListForksRequest all;
  all.set_all(true);
  for (const char* sku : {"few", "many", "none"}) {
    all.add_keys()->set_sku(sku);
    all.mutable_keys()->rbegin()->set_location("main");
  }
  const auto listed = client.forks(all);
  ASSERT_THAT(listed.response.forks(), SizeIs(3));
  EXPECT_EQ(listed.response.forks(0).truth().key().sku(), "many");
  EXPECT_FALSE(listed.response.forks(1).forked());
  EXPECT_FALSE(listed.response.forks(2).truth().exists());
  EXPECT_EQ(metric(stockd, "stock_flag_forks{flag=\"black-friday\"}"), 1);
  EXPECT_EQ(metric(stockd, "stock_flag_forks{flag=\"recalled\"}"), 0);
}

TEST_F(ServiceFlagsTest, an_explanation_names_the_flag_that_forks_a_cohort) {
  FakeFlagd flagd(capped(5));
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  book(client, "told", 120);
  v1::ExplainStockLevelRequest request;
  request.set_sku("told");
  const auto findings = [&] {
    std::vector<v1::Finding> found;
    const auto explained = client.explain(request);
    EXPECT_TRUE(explained.ok()) << explained.message;
    for (const auto& finding : explained.response.keys(0).findings()) {
      if (finding.statement().witness() == "flags") found.push_back(finding);
    }
    return found;
  };
  const auto forked = findings();
  ASSERT_THAT(forked, SizeIs(1));
  EXPECT_EQ(forked[0].verdict(), v1::VERDICT_FORKED);
  EXPECT_EQ(forked[0].statement().instance(), "beta");
  EXPECT_EQ(forked[0].units(), -115);
  EXPECT_EQ(forked[0].statement().flagged().available(), 5);
  EXPECT_EQ(forked[0].words(),
            "flag black-friday, variant capped (TARGETING_MATCH): cohort beta sees 5 of 120");
  flagd.set(capped(-1));
  ASSERT_TRUE(eventually([&] { return findings()[0].verdict(); }, Eq(v1::VERDICT_CURRENT)));
  EXPECT_THAT(findings(), SizeIs(1));
  EXPECT_EQ(findings()[0].words(), "no flag changes what the cohorts see");
}

TEST_F(ServiceFlagsTest, a_cohort_is_refused_where_there_are_no_flags_or_where_it_makes_no_sense) {
  {
    StockdProcess plain(all_layers());
    StockClient client(plain.address());
    book(client, "no", 1);
    EXPECT_EQ(get(client, "no", "beta").reason, "FLAGS_NOT_CONFIGURED");
    EXPECT_EQ(get(client, "no", "beta").code, kFailedPrecondition);
    EXPECT_EQ(client.forks().reason, "FLAGS_NOT_CONFIGURED");
  }
  FakeFlagd flagd(capped(5));
  StockdProcess stockd(options(flagd.address()));
  StockClient client(stockd.address());
  EXPECT_EQ(get(client, "no", std::string(65, 'c')).code, kInvalidArgument);
  EXPECT_EQ(get(client, "no", "bell\a").code, kInvalidArgument);
  v1::GetStockLevelRequest past;
  past.mutable_key()->set_sku("no");
  past.mutable_key()->set_location("main");
  past.set_cohort("beta");
  past.mutable_consistency()->set_version(1);
  EXPECT_EQ(client.get(past).code, kInvalidArgument);
  v1::ListForksRequest twice;
  for (int i = 0; i < 2; ++i) {
    twice.add_keys()->set_sku("no");
    twice.mutable_keys()->rbegin()->set_location("main");
  }
  EXPECT_EQ(client.forks(twice).code, kInvalidArgument);
}

TEST_F(ServiceFlagsTest, the_end_does_not_wait_for_a_flag_service_that_hangs) {
  FakeFlagd flagd(capped(5));
  flagd.delay(1h);
  StockdProcess stockd(options(flagd.address(), {"--flags-timeout", "250ms"}));
  StockClient client(stockd.address());
  book(client, "end2", 5);
  EXPECT_EQ(sees(client, "end2", "beta"), 5);  // unflagged
  EXPECT_EQ(stockd.stop(), 0);
}

}  // namespace
}  // namespace stock
