/* The script of a page of this kind. */

import { SpacePage } from "./space_page";
import { start } from "./start";

start(SpacePage);
