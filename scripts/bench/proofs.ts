/** Proofs and stress: the tests of never losing anything, with numbers that are too many for every day. */
import type { Section } from "./section.ts";
import { tablesOfTests } from "./test-run.ts";

/** As often as the claims say. */
const rounds = 10_000;

/** As long as the claims say: of each load on gates. */
const seconds = 60;

/** Two backends on each of seven filesystems (test/contract/filesystems.ts). */
const places = 14;

export const proofs: Section = {
  name: "proofs",
  run: ({ workspace }) =>
    tablesOfTests(workspace, {
      id: "proofs",
      tests: "test/proofs",
      environment: {
        FACRON_PROOF_COUNT: String(rounds),
        FACRON_PROOF_SECONDS: String(seconds),
      },
    }),
};

export const stress: Section = {
  name: "stress",
  run: ({ workspace, minutes }) =>
    tablesOfTests(workspace, {
      id: "stress",
      tests: "test/contract/stress.test.ts",
      environment: {
        FACRON_TEST_FILESYSTEMS: "all",
        FACRON_STRESS_SECONDS: String((minutes * 60) / places),
      },
    }),
};
