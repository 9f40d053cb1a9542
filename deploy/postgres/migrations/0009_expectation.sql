-- What is written together is committed by the same message, so that the count of what was written is checked here.

-- +migrate Up
SET ROLE stock_owner;
-- +migrate StatementBegin
CREATE FUNCTION stock.expect(expected bigint, written bigint, what text) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF expected IS DISTINCT FROM written THEN
    RAISE EXCEPTION '% % were written, where % were to be', written, what, expected USING ERRCODE = 'internal_error';
  END IF;
END
$$;
-- +migrate StatementEnd
RESET ROLE;

-- +migrate Down
DROP FUNCTION stock.expect(bigint, bigint, text);
