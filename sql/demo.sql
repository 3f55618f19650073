-- Sample logins are shown by a server in demo mode and by no other.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE regress_demo_operator LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_demo_member LOGIN IN ROLE aegis_member;

-- refuses: to take or show any without demo mode, which no session switches on
SHOW aegis.demo;
SELECT aegis.is_demo();
SET aegis.demo = on;
ALTER SYSTEM SET aegis.demo = on;
SET SESSION AUTHORIZATION regress_demo_operator;
SELECT aegis.set_demo_logins('[{"tenant": "a", "email": "a@example.test", "password": "sample", "remark": "admin"}]');
RESET SESSION AUTHORIZATION;
INSERT INTO aegis.demo_login VALUES ('a', 'a@example.test', 'sample', 'admin');
SET SESSION AUTHORIZATION regress_demo_member;
SELECT count(*) FROM aegis.demo_logins();
SELECT count(*) FROM aegis.demo_login;
SELECT aegis.set_demo_logins('[]');
RESET SESSION AUTHORIZATION;
DELETE FROM aegis.demo_login;
DROP ROLE regress_demo_operator, regress_demo_member;
