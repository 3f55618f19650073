# Builds and installs both extensions with PGXS and runs their regression tests.
# Everything else (core library, gateway, unit tests) is CMake's; ./aegis drives both.

EXTENSION    = extension/aegis extension/aegis_app
EXTVERSION  := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" extension/aegis.control)
APPVERSION  := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" extension/aegis_app.control)
MODULE_big   = aegis
SRCS         = $(sort $(wildcard extension/src/*.cpp extension/src/*/*.cpp))
OBJS         = $(SRCS:.cpp=.o)
PREFIX       = extension/src/pg/prefix.hpp

# Install fragments in dependency order; the script that is installed is their concatenation.
SQL_ORDER    = prologue role scrub context tenant limit team operator key subject sealed field field_convert field_verify ledger catalogue audit withheld tree seal checkpoint audit_log verify export \
               worker job reseal protect protect_keys protect_findings user sign_in session second_factor step_up password service webhook payload scrub_scan tenant_request outbox issuer idempotency mail user_token link pdf suspicion sign_up demo witness anchor retention key_shred key_adopt field_key tenant_erase tenant_export tenant_import tenant_move explain_access tenant_ledger tile route upstream issuer_sign_in status openapi \
               coverage_relation classification coverage_table coverage_view coverage_role coverage_field coverage_classification coverage_server coverage_pooler coverage_outbox coverage_witness coverage_anchor coverage_key control coverage_control coverage_function ddl_guard coverage_guard coverage_ledger coverage_audit coverage watch epilogue
APP_ORDER    = prologue organisation security customer money invoice_setting invoice invoice_state credit_note invoice_link invoice_mail invoice_pdf webhook provider provider_account provider_call checkout invoice_pay payment payment_event payment_match refund reconciliation dashboard ledger kyc_subject kyc_history kyc_identity kyc_document kyc_ownership kyc_screening kyc_risk kyc_review kyc_decision kyc_retention kyc_check kyc_restriction kyc_erasure kyc_export suspicion_report route route_security route_invoice route_credit_note route_invoice_link route_ledger route_webhook route_payment route_kyc route_privacy route_suspicion classification epilogue
DATA         = $(wildcard extension/updates/aegis*--*--*.sql)
DATA_built   = extension/aegis--$(EXTVERSION).sql extension/aegis_app--$(APPVERSION).sql

REGRESS     ?= $(shell cat tests/regress.schedule)
REGRESS_OPTS = --temp-instance=$(or $(OUT),.)/tmp_check --temp-config=$(or $(TEMP_CONFIG),tests/regress.conf) --load-extension=aegis \
               --outputdir=$(or $(OUT),.) --encoding=UTF8 --no-locale

PG_CONFIG   ?= pg_config
# The server's headers by their own paths, not by those that a private copy links to them: every copy compiles the same.
PG_HEADERS  := $(realpath $(shell $(PG_CONFIG) --includedir-server) $(shell $(PG_CONFIG) --pkgincludedir)/internal)
PG_CPPFLAGS  = -std=c++17 -Iextension/src $(PG_HEADERS:%=-isystem %)
PG_CXXFLAGS  = -MMD -MP -Wall -Wextra -Werror -Wno-unused-parameter -Wno-register -Wno-missing-field-initializers
SHLIB_LINK   = -lcrypto -largon2 -lzxcvbn -lqrencode -lutf8proc -lhpdf -lstdc++ -Wl,--version-script=extension/aegis.map
EXTRA_CLEAN  = $(SRCS:.cpp=.d) $(PREFIX).gch $(PREFIX:.hpp=.d) extension/src/.testing-0 extension/src/.testing-1 tests/isolation/out
override with_llvm = no

PGXS        := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
override CPPFLAGS := $(filter-out -I$(includedir_server) -I$(includedir_internal),$(CPPFLAGS))
-include $(OBJS:.o=.d)

# Reading the server's headers takes longer than compiling what most files say, so that is done once. Core never sees them.
# (Private, as below: what a file is compiled with is nothing of what its prerequisites are.)
SHELL_OBJS  := $(filter-out extension/src/core/%,$(OBJS))
$(SHELL_OBJS): private override CXXFLAGS += -include $(PREFIX) -fpch-preprocess -Winvalid-pch
$(SHELL_OBJS): $(PREFIX).gch
$(PREFIX).gch: $(PREFIX)
	$(COMPILE.cc) -x c++-header -o $@ $< -MMD -MP -MF $(PREFIX:.hpp=.d)
-include $(PREFIX:.hpp=.d)

# Probes, and what they see of the rest, exist only in a build for tests; going from one build to the other rebuilds them. (Not
# a rule: PGXS makes every target secondary, and a missing secondary file rebuilds nothing.)
TESTED_OBJS := $(patsubst %.cpp,%.o,$(shell grep -l AEGIS_TESTING $(SRCS)))
TESTING_STAMP := extension/src/.testing-$(or $(TESTING),0)
$(shell [ -e $(TESTING_STAMP) ] || { rm -f extension/src/.testing-*; touch $(TESTING_STAMP); })
$(TESTED_OBJS): $(TESTING_STAMP)
$(TESTED_OBJS): private override CPPFLAGS += $(if $(TESTING),-DAEGIS_TESTING)

extension/aegis--$(EXTVERSION).sql: $(SQL_ORDER:%=extension/sql/%.sql) extension/aegis.control
	cat $(SQL_ORDER:%=extension/sql/%.sql) > $@

extension/aegis_app--$(APPVERSION).sql: $(APP_ORDER:%=extension/app/%.sql) extension/aegis_app.control
	cat $(APP_ORDER:%=extension/app/%.sql) > $@
