// A render server for pictures, played as Server is played for sound.
Oscbend {
	classvar <>program = "oscbend";
	classvar default;
	classvar statusKeys;

	var <name, <addr, <>options;
	var <>latency = 0.2, <>failAction, <>onQuit;
	var <running = false, <booting = false, <pid;
	var responders, bundle;

	*initClass {
		statusKeys = #[
			\fps, \frameMs, \worstMs, \queued, \late, \dropped, \bad, \frame, \model, \behind, \ahead
		];
	}

	*default { ^default ?? { default = this.new } }
	*default_ { |oscbend| default = oscbend }

	*new { |name = "oscbend", addr, options|
		^super.newCopyArgs(name, addr ?? { NetAddr("127.0.0.1", 57130) }, options ? [])
	}

	// A score of [seconds, message …] for `oscbend render`; Score itself puts a message for scsynth before it.
	*writeScore { |list, path| Score.new([]).score_(list).sort.writeOSCFile(path) }

	*boot { |onComplete| ^this.default.boot(onComplete) }

	// Starts `oscbend serve`, unless a server is there already, and asks to be told what goes wrong.
	boot { |onComplete, onFailure, timeout = 120|
		if(running or: booting) {
			"% is running already, or is about to".format(name).warn;
			^this
		};
		booting = true;
		CmdPeriod.doOnce { booting = false };  // which also ends the waiting below
		{
			if(this.prAnswers(0.5).not) { this.prStart(timeout) };
			if(booting) {
				booting = false;
				running = true;
				this.notify;
				"% draws at %:%".format(name, addr.ip, addr.port).postln;
				onComplete.value(this);
			} {
				"% did not start; what it printed above says why. Is % the program? "
				"Set Oscbend.program = \"/path/to/oscbend\"".format(name, program).error;
				onFailure.value(this);
			}
		}.fork(AppClock);
	}

	waitForBoot { |onComplete, onFailure|
		if(running) { { onComplete.value(this) }.forkIfNeeded } { this.boot(onComplete, onFailure) }
	}

	quit { |onComplete|
		if(running) {
			OSCFunc({ onComplete.value(this) }, '/done', addr, argTemplate: ['/quit']).oneShot;
			addr.sendMsg("/quit");
		};
		this.prGone;
	}

	// Asks the server for errors and for what other clients change, or no longer.
	notify { |flag = true|
		responders.do(_.free);
		responders = nil;
		if(flag) {
			responders = ['/fail', '/warn', '/late'].collect { |address|
				OSCFunc({ |message| this.prComplain(message) }, address, addr).fix
			};
		};
		addr.sendMsg("/notify", flag.binaryValue);
	}

	sendMsg { |... message|
		if(bundle.notNil) { bundle = bundle.add(message) } { addr.sendMsg(*message) }
	}

	sendBundle { |time ... messages| addr.sendBundle(time, *messages) }

	// What the function sends acts together, `latency` seconds after the time of the thread.
	bind { |function| this.prBundle(function, latency) }

	// What the function sends acts together, on the next frame.
	together { |function| this.prBundle(function, nil) }

	// Within a Routine: goes on when all jobs begun so far, such as prompts, have ended.
	sync { |timeout = 60|
		var id = UniqueID.next;
		^this.prWait('/synced', [id], { addr.sendMsg("/sync", id) }, timeout).notNil
	}

	status { |action|
		OSCFunc({ |message|
			action.value(().putPairs([statusKeys, message.drop(1)].lace(2 * statusKeys.size)))
		}, '/status.reply', addr).oneShot;
		addr.sendMsg("/status");
	}

	get { |address, action|
		var path = this.prPath(address);
		OSCFunc({ |message| action.value(*message.drop(1)) }, path, addr).oneShot;
		addr.sendMsg("/get", path);
	}

	// Names of \ops, \sites, \features, \commands or \scenes.
	list { |what, action|
		var names = [], part = OSCFunc({ |message| names = names ++ message.drop(2) },
			'/list.reply', addr, argTemplate: [what.asSymbol]);
		OSCFunc({ part.free; action.value(names) }, '/done', addr, argTemplate: ['/list', what.asSymbol]).oneShot;
		addr.sendMsg("/list", what);
	}

	bend { |id, op, site ... pairs|
		var bend = OscbendBend(this, id);
		this.together { bend.arm(op, site); bend.set(*pairs) };
		^bend
	}

	freeBends { this.sendMsg("/bend/free") }

	set { |address ... values| this.sendMsg(this.prPath(address), *values) }
	norm { |address, value| this.set(this.prPath(address) ++ "/norm", value) }
	glide { |address, value, seconds, curve|
		this.set(this.prPath(address) ++ "/to", *[value, seconds, curve].reject(_.isNil))
	}
	lag { |address, seconds| this.set(this.prPath(address) ++ "/lag", seconds) }
	map { |address, feature, lo, hi, curve|
		this.set(this.prPath(address) ++ "/map", *[feature, lo, hi, curve].reject(_.isNil))
	}
	unmap { |address| this.set(this.prPath(address) ++ "/unmap") }
	mod { |address, number, feature, depth, curve|
		this.set(this.prPath(address) ++ "/mod/" ++ number, *[feature, depth, curve].reject(_.isNil))
	}

	prompt { |text, number, weight|
		if(number.isNil) { this.sendMsg("/prompt", text) } {
			this.sendMsg("/prompt/" ++ number, text);
			weight !? { this.weight(number, weight) };
		}
	}
	weight { |number, weight| this.sendMsg("/prompt/" ++ number ++ "/weight", weight) }
	morph { |text, seconds = 4| this.sendMsg("/prompt/morph", text, seconds) }
	xy { |x, y| this.sendMsg("/prompt/xy", x, y) }
	seed { |seed| this.sendMsg("/seed", seed) }
	noise { |mode| this.sendMsg("/noise/mode", mode) }

	feature { |feature ... values| this.sendMsg("/feature/" ++ feature, *values) }
	trig { |feature, level = 1.0| this.sendMsg("/trig/" ++ feature, level) }

	wet { |amount, seconds = 0| this.sendMsg("/wet", amount, seconds) }
	black { |amount, seconds = 0| this.sendMsg("/black", amount, seconds) }
	panic { this.sendMsg("/panic") }
	freeze { |flag = true| this.sendMsg("/freeze", flag.binaryValue) }

	saveScene { |scene| this.sendMsg("/scene/save", scene) }
	loadScene { |scene| this.sendMsg("/scene/load", scene) }
	morphScene { |scene, seconds = 4| this.sendMsg("/scene/morph", scene, seconds) }
	record { |file| this.sendMsg("/record/start", *[file].reject(_.isNil)) }
	stopRecording { this.sendMsg("/record/stop") }

	// Sends amplitude, centroid, flatness and onsets of an audio bus: features amp, centroid, flatness, onset.
	listen { |bus, server, prefix = "", rate = 50| ^OscbendSound(this, server, bus, prefix, rate) }

	// Sends a control bus as the feature of a name.
	bus { |feature, bus, server, rate = 50| ^OscbendControl(this, server, bus, feature, rate) }

	printOn { |stream| stream << this.class.name << "(" << name << ", " << addr.ip << ":" << addr.port << ")" }

	prPath { |address|
		var path = address.asString;
		^if(path.beginsWith("/")) { path } { "/" ++ path }
	}

	prBundle { |function, time|
		var outer = bundle, messages;
		bundle = [];
		protect { function.value(this) } { messages = bundle; bundle = outer };
		if(outer.notNil) { bundle = outer ++ messages } {
			if(messages.notEmpty) { addr.sendBundle(time, *messages) }
		}
	}

	prStart { |timeout|
		var command = [program, "serve", "--host", addr.ip, "--port", addr.port.asString] ++ options.collect(_.asString);
		var waited = 0;
		pid = pid ?? {
			ShutDown.add(this);
			command.unixCmd({ |code|
				pid = nil;
				booting = false;
				if(running) { "% has ended (%)".format(name, code).postln; this.prGone };
			})
		};
		while { booting and: { waited < timeout } and: { this.prAnswers(0.5).not } } { waited = waited + 0.5 };
		if(waited >= timeout) { booting = false };
	}

	doOnShutDown { if(pid.notNil) { addr.sendMsg("/quit") } }

	prGone {
		responders.do(_.free);
		responders = nil;
		ShutDown.remove(this);
		if(running) { running = false; onQuit.value(this) };
	}

	prAnswers { |timeout| ^this.prWait('/status.reply', nil, { addr.sendMsg("/status") }, timeout).notNil }

	prWait { |address, template, ask, timeout|
		var answer, waited = 0;
		var responder = OSCFunc({ |message| answer = message }, address, addr, argTemplate: template);
		ask.value;
		while { answer.isNil and: { waited < timeout } } { 0.01.wait; waited = waited + 0.01 };
		responder.free;
		^answer
	}

	prComplain { |message|
		if(failAction.notNil) { failAction.value(*message) } {
			"%: %".format(name, message.join(" ")).warn
		}
	}
}
