/** What durable rules and gates need is there before anything is watched for them. */
import type { GatesOfPlan } from "../reader/gate-plan.ts";
import { type Plan, planOf, type PlanOptions } from "../reader/plan.ts";
import type { GateLog } from "../rule/gate.ts";
import type { Durable } from "./durable.ts";
import { type Gates, whyNoGates } from "./gates.ts";
import type { Loaded } from "./options.ts";

export interface PreparationOptions {
  /** Null: no rule can be durable. */
  readonly durable: Durable | null;
  readonly gates: Gates;
  /** As the command line says; null: as the configuration says. */
  readonly gateLog: GateLog | null;
  /** What cannot be begun now is not begun, and all else goes on: said here. Null: it is an error. */
  readonly doWithout: ((text: string) => void) | null;
}

/** @returns null if nothing has to be prepared for these: their plan is all that there is */
export function preparation(
  { rules, gates = [], settings }: Loaded,
  planOptions: Omit<PlanOptions, "gates">,
  options: PreparationOptions,
): Promise<Plan> | null {
  const durable = options.durable?.isNeededFor(rules) === true ? options.durable : null;
  if (durable === null && gates.length === 0 && !options.gates.isOpen) return null;
  const { generation } = planOptions;
  const { doWithout } = options;
  const prepare = async (): Promise<Plan> => {
    const catchUp = await begun(durable?.follow(rules, settings?.stateDir), {
      why: ({ message }) => message,
      meanwhile: "no rule is durable",
      doWithout,
    });
    const log = options.gateLog ?? settings?.gateLog ?? "deny";
    const thread = await begun(options.gates.follow({ gates, generation, log }), {
      why: whyNoGates,
      meanwhile: "nothing is held back",
      doWithout,
    });
    const marks: { gates?: GatesOfPlan } =
      thread === null ? {} : { gates: { ...thread.forReader(), generation, gates } };
    const plan = planOf(rules, { ...planOptions, ...marks });
    const told = durable === null ? {} : { tellsReadUntil: true };
    return { ...plan, ...told, ...(catchUp && { catchUp }) };
  };
  return prepare();
}

interface Beginning extends Pick<PreparationOptions, "doWithout"> {
  readonly why: (error: Error) => string;
  readonly meanwhile: string;
}

async function begun<Result>(
  promise: Promise<Result> | undefined,
  { why, meanwhile, doWithout }: Beginning,
): Promise<Result | null> {
  try {
    return (await promise) ?? null;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (doWithout === null) throw new Error(why(error), { cause: error });
    doWithout(`${why(error)}; until then ${meanwhile}`);
    return null;
  }
}
