#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "stock/config/config.h"

namespace stock::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Layers = std::vector<std::string>;

class ConfigLoad : public testing::Test {
 protected:
  ~ConfigLoad() override { std::remove(path_.c_str()); }

  // Puts the text into a file that `--config` can name, and returns its path.
  const std::string& file(const std::string& text) {
    std::ofstream(path_) << text;
    return path_;
  }

  absl::StatusOr<Loaded> load_with(std::vector<std::string> flags) {
    std::vector<const char*> argv = {"stockd"};
    for (const std::string& flag : flags) {
      argv.push_back(flag.c_str());
    }
    return load(static_cast<int>(argv.size()), argv.data(), environment_, "1.2.3");
  }

  Config config_with(std::vector<std::string> flags) {
    const auto loaded = load_with(std::move(flags));
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? loaded->config : Config();
  }

  std::string text_with(std::vector<std::string> flags) {
    const auto loaded = load_with(std::move(flags));
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? loaded->text.value_or("") : "";
  }

  std::string error_with(std::vector<std::string> flags) {
    const auto loaded = load_with(std::move(flags));
    EXPECT_FALSE(loaded.ok());
    return std::string(loaded.status().message());
  }

  Environment environment_ = {{"STOCKD_PRIMARY_URL", "postgresql://u:secret@h/db"}, {"HOME", "/"}};

 private:
  const std::string path_ =
      testing::TempDir() + "config_load_" + std::to_string(getpid()) + ".toml";
};

#define EXPECT_HAS(text, part) \
  EXPECT_PRED_FORMAT2(testing::IsSubstring, std::string(part), std::string(text))
#define EXPECT_HAS_NOT(text, part) \
  EXPECT_PRED_FORMAT2(testing::IsNotSubstring, std::string(part), std::string(text))

TEST_F(ConfigLoad, only_the_primary_is_required) {
  const Config config = config_with({});
  EXPECT_EQ(config.listen, (Address{.host = "127.0.0.1", .port = 7070}));
  EXPECT_EQ(config.max_staleness, seconds(5));
  EXPECT_EQ(config.audit_budget, 2);
  environment_.clear();
  EXPECT_HAS(error_with({}), "primary_url is required");
}

TEST_F(ConfigLoad, a_flag_wins_over_the_environment_which_wins_over_the_file) {
  const std::string& path = file("max_staleness = \"1s\"\nread_batch = 11\nwrite_batch = 12\n");
  environment_["STOCKD_MAX_STALENESS"] = "2s";
  environment_["STOCKD_READ_BATCH"] = "21";
  const Config config = config_with({"--config", path, "--max-staleness", "3s"});
  EXPECT_EQ(config.max_staleness, seconds(3));
  EXPECT_EQ(config.read_batch, 21);
  EXPECT_EQ(config.write_batch, 12);
}

TEST_F(ConfigLoad, the_environment_can_name_the_file_and_a_flag_another) {
  environment_["STOCKD_CONFIG"] = file("read_batch = 7\n");
  EXPECT_EQ(config_with({}).read_batch, 7);
  EXPECT_EQ(config_with({"--config", "/dev/null"}).read_batch, 256);
}

TEST_F(ConfigLoad, an_empty_variable_takes_a_url_away) {
  const std::string& path = file("redis_url = \"redis://h\"\n");
  environment_["STOCKD_REDIS_URL"] = "";
  EXPECT_FALSE(config_with({"--config", path}).has_layer("redis"));
}

TEST_F(ConfigLoad, the_last_of_a_repeated_flag_counts) {
  EXPECT_EQ(config_with({"--read-batch", "1", "--read-batch", "2"}).read_batch, 2);
}

TEST_F(ConfigLoad, unknown_names_are_errors_that_name_the_nearest) {
  EXPECT_HAS(error_with({"--primry-url", "x"}),
             "unknown flag --primry-url: did you mean --primary-url?");
  EXPECT_HAS(error_with({"surplus"}), "unexpected argument surplus");
  EXPECT_HAS(error_with({"--config", file("read_batch = 1\nmax_stalenes = \"1s\"\n")}),
             "line 2: unknown setting max_stalenes: did you mean max_staleness?");
  environment_["STOCKD_LAYRES"] = "primary";
  EXPECT_HAS(error_with({}), "unknown variable STOCKD_LAYRES: did you mean STOCKD_LAYERS?");
}

TEST_F(ConfigLoad, a_name_like_none_gets_no_suggestion) {
  environment_["STOCKD_XYZZY"] = "1";
  EXPECT_EQ(error_with({}), "unknown variable STOCKD_XYZZY");
}

TEST_F(ConfigLoad, all_mistakes_are_told_at_once) {
  environment_["STOCKD_READ_BATCH"] = "0";
  const std::string error = error_with({"--max-staleness", "9", "--log-level", "loud"});
  EXPECT_HAS(
      error,
      "read_batch (env STOCKD_READ_BATCH) must be a whole number from 1 to 1024; it is \"0\"");
  EXPECT_HAS(error, "max_staleness (flag --max-staleness) must be a duration from 1ms to 1h");
  EXPECT_HAS(error, "log_level (flag --log-level) must be one of debug, info, warn, error");
}

TEST_F(ConfigLoad, values_outside_their_limits_are_refused) {
  for (const auto& [flag, value] : std::vector<std::pair<std::string, std::string>>{
           {"--max-staleness", "0s"},
           {"--max-staleness", "61m"},
           {"--max-staleness", "1.5s"},
           {"--max-staleness", "-1s"},
           {"--max-staleness", ""},
           {"--write-batch", "1025"},
           {"--write-batch", "12x"},
           {"--write-batch", "99999999999999999999"},
           {"--primary-connections", "65"},
           {"--max-message-bytes", "1GiB"},
           {"--max-message-bytes", "4MB"},
           {"--max-connection-age", "9223372036854775807h"},
           {"--listen", "7070"},
           {"--listen", "h:65536"},
           {"--listen", "::1:7070"},
           {"--instance", "two words"},
           {"--primary-url", "mysql://h/db"},
           {"--redis-url", "rediss://h"},
       }) {
    EXPECT_HAS(error_with({flag, value}), "must be");
  }
}

TEST_F(ConfigLoad, units_are_understood) {
  const Config config =
      config_with({"--max-staleness", "250ms", "--redis-ttl", "2m", "--max-connection-age", "1h",
                   "--max-message-bytes", "512KiB", "--drain-timeout", "0s"});
  EXPECT_EQ(config.max_staleness, milliseconds(250));
  EXPECT_EQ(config.redis_ttl, minutes(2));
  EXPECT_EQ(config.max_connection_age, minutes(60));
  EXPECT_EQ(config.max_message_bytes, 512 * 1024);
  EXPECT_EQ(config.drain_timeout, seconds(0));
}

TEST_F(ConfigLoad, the_file_is_strict_toml_without_sections) {
  const auto error_of = [&](const std::string& text) {
    return error_with({"--config", file(text)});
  };
  EXPECT_HAS(error_of("read_batch = \n"), "line 1");
  EXPECT_HAS(error_of("read_batch = 1\nread_batch = 2\n"), "line 2");
  EXPECT_HAS(error_of("x\n"), "line 1");
  EXPECT_HAS(error_of("[redis]\nurl = \"redis://h\"\n"), "[redis] is a section");
  EXPECT_HAS(error_of("read_batch = \"7\"\n"), "read_batch must be a whole number without");
  EXPECT_HAS(error_of("max_staleness = 5\n"), "max_staleness must be a text in quotation marks");
  EXPECT_HAS(error_of("layers = \"primary\"\n"), "layers must be a list of texts");
  EXPECT_HAS(error_of("layers = [1]\n"), "layers must be a list of texts");
  EXPECT_HAS(error_with({"--config", "/no/such/file"}), "/no/such/file: No such file");
  EXPECT_HAS(error_with({"--config", "/"}), "cannot read the file /");
}

TEST_F(ConfigLoad, a_hash_or_a_blank_in_a_text_of_the_file_belongs_to_it) {
  const Config config =
      config_with({"--config", file("replica_url = \"host=h password='a #b'\"  # comment\n")});
  EXPECT_EQ(config.replica_url, "host=h password='a #b'");
}

TEST_F(ConfigLoad, layers_without_a_url_are_left_out_unless_named) {
  EXPECT_EQ(config_with({}).layers, (Layers{"memory", "primary"}));
  EXPECT_EQ(config_with({"--redis-url", "redis://h"}).layers,
            (Layers{"memory", "redis", "primary"}));
  EXPECT_EQ(config_with({"--redis-url", "redis://h", "--replica-url", "postgres://h"}).layers,
            (Layers{"memory", "redis", "replica", "primary"}));
  EXPECT_HAS(error_with({"--layers", "redis,replica,primary"}),
             "layers names redis, but there is no redis_url");
  EXPECT_HAS(error_with({"--layers", "redis,replica,primary"}),
             "layers names replica, but there is no replica_url");
}

TEST_F(ConfigLoad, layers_are_some_of_the_known_in_order_with_the_primary) {
  EXPECT_EQ(config_with({"--layers", "primary"}).layers, Layers{"primary"});
  EXPECT_EQ(config_with({"--config", file("layers = [\"memory\", \"primary\"]\n")}).layers,
            (Layers{"memory", "primary"}));
  EXPECT_EQ(config_with({"--layers", "memory, primary"}).layers, (Layers{"memory", "primary"}));
  EXPECT_EQ(config_with({"--redis-url", "redis://h", "--layers", "primary"}).layers,
            Layers{"primary"});
  for (const char* bad : {"", "memory", "primary,memory", "primary,primary", "disk,primary",
                          "memory,,primary", "memory,primary,"}) {
    EXPECT_NE(error_with({"--layers=" + std::string(bad)}), "") << bad;
  }
}

TEST_F(ConfigLoad, both_ports_must_differ) {
  EXPECT_HAS(error_with({"--listen", "h:1", "--admin-listen", "h:1"}), "must differ");
  config_with({"--listen", "h:0", "--admin-listen", "h:0"});
}

TEST_F(ConfigLoad, an_instance_is_always_named) {
  const std::string pid = std::to_string(getpid());
  EXPECT_TRUE(config_with({}).instance.ends_with("-" + pid));
  EXPECT_EQ(config_with({"--instance", "shop-1"}).instance, "shop-1");
}

TEST_F(ConfigLoad, the_printed_configuration_tells_the_source_of_each_value) {
  environment_["STOCKD_READ_BATCH"] = "7";
  const std::string& path = file("\nwrite_batch = 8\n");
  const std::string text =
      text_with({"--config", path, "--print-config", "--max-staleness", "1500ms"});
  EXPECT_HAS(text, "max_staleness = \"1500ms\"  # flag --max-staleness\n");
  EXPECT_HAS(text, "read_batch = 7  # env STOCKD_READ_BATCH\n");
  EXPECT_HAS(text, "write_batch = 8  # file " + path + ", line 2\n");
  EXPECT_HAS(text, "audit_budget = \"2%\"  # default\n");
  EXPECT_HAS(text, "layers = [\"memory\", \"primary\"]  # default, less those without a URL\n");
}

TEST_F(ConfigLoad, the_printed_configuration_can_be_loaded_again) {
  const std::string first = text_with(
      {"--print-config", "--redis-url", "redis://h:6379/2", "--max-message-bytes", "1MiB",
       "--listen", "[::1]:9", "--log-level", "debug", "--primary-url", "host=h dbname='a\"b\\c'"});
  environment_.clear();
  const std::string second = text_with({"--print-config", "--config", file(first)});
  const auto values = [](const std::string& text) {
    std::string kept;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      kept += line.substr(0, line.find("  # ")) + "\n";
      at = end + 1;
    }
    return kept;
  };
  EXPECT_EQ(values(first), values(second));
}

TEST_F(ConfigLoad, a_default_name_is_not_printed_for_other_processes_to_share) {
  EXPECT_HAS(text_with({"--print-config"}), "\n# instance = ");
  EXPECT_HAS(text_with({"--print-config", "--instance", "a"}), "\ninstance = \"a\"");
}

TEST_F(ConfigLoad, passwords_are_neither_printed_nor_told_in_errors) {
  environment_["STOCKD_REDIS_URL"] = "redis://u:secret@h";
  environment_["STOCKD_REPLICA_URL"] = "host=h password=secret";
  EXPECT_HAS_NOT(text_with({"--print-config"}), "secret");
  EXPECT_HAS(text_with({"--print-config"}), "postgresql://u:***@h/db");
  environment_["STOCKD_PRIMARY_URL"] = "secret";
  environment_["STOCKD_REDIS_URL"] = "redis://u:secret@h:port";
  EXPECT_HAS_NOT(error_with({}), "secret");
}

TEST_F(ConfigLoad, help_and_version_need_no_valid_configuration) {
  environment_.clear();
  const std::string help = text_with({"--help"});
  EXPECT_HAS(help, "--max-staleness DURATION");
  EXPECT_HAS(help, "[from 1ms to 1h; default: 5s; STOCKD_MAX_STALENESS]");
  EXPECT_EQ(text_with({"--version"}), "stockd 1.2.3\n");
}

}  // namespace
}  // namespace stock::config
